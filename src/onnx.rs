//! ONNX Runtime, a shared library that is loaded at run time, and the models that it runs.

use std::path::Path;

use crate::error::{Error, Result};

/// Where this build's models of pictures run, in words.
pub const RUNS_ON: &str = if cfg!(feature = "onnx-cuda") {
    "on NVIDIA's cards where ONNX Runtime has CUDA, or on processors"
} else {
    "on processors (built without 'cuda')"
};

/// ONNX Runtime, loaded. There is one in a process: clones and later openings are the same.
#[derive(Clone)]
pub struct Runtime {
    #[cfg(feature = "onnx")]
    environment: ort::environment::Environment,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Runtime")
    }
}

#[cfg(not(feature = "onnx"))]
impl Runtime {
    /// `Unsupported`.
    pub fn open(_: Option<&Path>) -> Result<Self> {
        Err(Error::unsupported("no model can be run here").hint("built without 'onnx'"))
    }
}

#[cfg(feature = "onnx")]
pub(crate) use loaded::{Model, Want};

#[cfg(feature = "onnx")]
mod loaded {
    use std::{
        path::PathBuf,
        sync::{Mutex, PoisonError},
    };

    use ort::{
        environment::Environment,
        session::{Session, builder::GraphOptimizationLevel},
        value::{Outlet, TensorElementType, TensorRef, ValueType},
    };

    use super::*;
    use crate::error::Kind;

    /// The library's name, as the system's loader knows it and as it lies in a folder.
    const LIBRARY: &str = "libonnxruntime.so";
    /// How to have one.
    const HINT: &str = "install ONNX Runtime 1.17 or newer (libonnxruntime.so), or set where it is; 'damctl doctor' tells \
                        what was found";
    /// Largest model that is loaded.
    const LARGEST: u64 = 2 << 30;

    /// What models of texts take.
    const TOKENS: [&str; 2] = ["input_ids", "attention_mask"];
    /// What some of them take besides: which of two texts a token is of.
    const KINDS: &str = "token_type_ids";

    static OPEN: Mutex<Option<Environment>> = Mutex::new(None);

    impl Runtime {
        /// Loads the library: of this path, which may be the folder that it is in, or else the system's.
        ///
        /// The first one that loads stays for as long as the process lives, whatever is asked for later. One that is missing, no
        /// ONNX Runtime or too old is `Unsupported`. Its telemetry is off.
        pub fn open(library: Option<&Path>) -> Result<Self> {
            let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(environment) = &*open {
                return Ok(Self { environment: environment.clone() });
            }
            let library = match library {
                Some(path) if path.is_dir() => path.join(LIBRARY),
                Some(path) => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
                None => PathBuf::from(LIBRARY),
            };
            let unusable = || Error::unsupported(format!("{} cannot be loaded", library.display())).hint(HINT);
            let builder = ort::init_from(&library).map_err(|e| unusable().because(reason(&e)))?;
            let environment = builder.with_telemetry(false).build().map_err(|e| unusable().because(e.to_string()))?;
            *open = Some(environment.clone());
            Ok(Self { environment })
        }
    }

    /// A loaded model.
    #[derive(Debug)]
    pub(crate) struct Model {
        session: Session,
        path: PathBuf,
    }

    /// What a model should take or give: sizes, of which none is one that may be any.
    pub(crate) struct Want<'a> {
        pub(crate) input: &'a [Option<i64>],
        pub(crate) output: &'a [Option<i64>],
    }

    impl Model {
        /// A missing file is `NotFound`, a damaged one `Corrupt`.
        pub(crate) fn load(runtime: &Runtime, path: &Path, threads: usize) -> Result<Self> {
            use crate::error::Doing;

            let size = path.metadata().doing(|| format!("cannot open the model {}", path.display()))?.len();
            let damaged = |why: String| {
                Error::corrupt(format!("{} is no model that can be run", path.display()))
                    .because(why)
                    .hint("get it again: 'damctl models verify' tells which files are damaged")
            };
            if size > LARGEST {
                return Err(damaged(format!("it has {size} bytes")));
            }
            let set = || -> Result<_, String> {
                let text = |e: ort::Error<ort::session::builder::SessionBuilder>| e.to_string();
                let builder = Session::builder(&runtime.environment).map_err(|e| e.to_string())?;
                // Where the library has no such part, or the machine no such card, processors compute.
                #[cfg(feature = "onnx-cuda")]
                let builder = builder.with_execution_providers([ort::ep::CUDA::default().build()]).map_err(text)?;
                let builder = builder.with_optimization_level(GraphOptimizationLevel::Level3).map_err(text)?;
                let builder = builder.with_intra_threads(threads.max(1)).map_err(text)?;
                // Other jobs want the cores that would only be waiting.
                let builder = builder.with_intra_op_spinning(false).map_err(text)?;
                // Pictures are of many sizes: what one took is of no use to the next.
                builder.with_memory_pattern(false).map_err(text)
            };
            let mut builder = set().map_err(|e| Error::internal("a model's session cannot be set up").because(e))?;
            let session = builder.commit_from_file(path).map_err(|e| match e.to_string() {
                why if is_memory(&why) => Error::new(Kind::OutOfMemory, "a model does not fit").because(why),
                why => damaged(why),
            })?;
            Ok(Self { session, path: path.to_owned() })
        }

        /// Whether it takes one tensor of floats and its first output is one, of these sizes. `Invalid` tells what was
        /// expected and what was found.
        pub(crate) fn expect(&self, what: &str, want: &Want<'_>) -> Result<()> {
            let is = |outlet: Option<&Outlet>, want: &[Option<i64>]| {
                outlet.and_then(shape).is_some_and(|shape| {
                    let fits = |(has, want): (&i64, &Option<i64>)| *has < 0 || want.is_none_or(|want| *has == want);
                    shape.len() == want.len() && shape.iter().zip(want).all(fits)
                })
            };
            let (inputs, outputs) = (self.session.inputs(), self.session.outputs());
            if inputs.len() == 1 && is(inputs.first(), want.input) && is(outputs.first(), want.output) {
                return Ok(());
            }
            Err(self.foreign(what, &format!("{} to {}", sizes(want.input), sizes(want.output))))
        }

        /// The error of a model that is another one.
        pub(crate) fn foreign(&self, what: &str, expected: &str) -> Error {
            let list = |outlets: &[Outlet]| {
                let each =
                    outlets.iter().map(|o| format!("{} {}", o.name(), shape(o).map_or("?".into(), |s| sizes(&s))));
                each.collect::<Vec<_>>().join(", ")
            };
            let found = format!("{} to {}", list(self.session.inputs()), list(self.session.outputs()));
            Error::invalid(format!(
                "{} is no {what}: expected is a model of {expected}, found is one of {found}",
                self.path.display()
            ))
        }

        /// The sizes of its input, -1 for one that may be any.
        pub(crate) fn input(&self) -> Option<&[i64]> {
            self.session.inputs().first().and_then(shape_of)
        }

        /// The same of its first output.
        pub(crate) fn output(&self) -> Option<&[i64]> {
            self.session.outputs().first().and_then(shape_of)
        }

        /// What its maker wrote into it under a name.
        pub(crate) fn said(&self, name: &str) -> Option<String> {
            self.session.metadata().ok()?.custom(name)
        }

        pub(crate) fn path(&self) -> &Path {
            &self.path
        }

        /// Runs it and has a look at the sizes and the numbers of its first output.
        pub(crate) fn run<T>(
            &mut self,
            shape: [usize; 4],
            data: &[f32],
            look: impl FnOnce(&[i64], &[f32]) -> Result<T>,
        ) -> Result<T> {
            let told = |e: ort::Error| failed(&self.path, e.to_string());
            let tensor = TensorRef::from_array_view((shape, data)).map_err(told)?;
            let outputs = self.session.run(ort::inputs![tensor]).map_err(told)?;
            let (shape, numbers) = outputs[0].try_extract_tensor::<f32>().map_err(told)?;
            look(shape, numbers)
        }

        /// Whether it takes tokens: whole numbers named `input_ids` and `attention_mask`, and nothing else but
        /// `token_type_ids`. `Invalid` tells what was expected and what was found.
        pub(crate) fn expect_tokens(&self, what: &str) -> Result<()> {
            let names: Vec<&str> = self.session.inputs().iter().map(Outlet::name).collect();
            let has_all = TOKENS.iter().all(|name| names.contains(name));
            match has_all && names.iter().all(|name| TOKENS.contains(name) || *name == KINDS) {
                true => Ok(()),
                false => Err(self.foreign(what, &format!("{} to floats", TOKENS.join(", ")))),
            }
        }

        /// Runs it on texts of as many tokens each, of which the mask says whether they count, and has a look at the sizes
        /// and the numbers of its first output.
        pub(crate) fn run_tokens<T>(
            &mut self,
            shape: [usize; 2],
            [ids, mask]: [&[i64]; 2],
            look: impl FnOnce(&[i64], &[f32]) -> Result<T>,
        ) -> Result<T> {
            let told = |e: ort::Error| failed(&self.path, e.to_string());
            let kinds = vec![0_i64; ids.len()];
            let tensor = |data| TensorRef::from_array_view((shape, data)).map_err(told);
            let mut inputs = ort::inputs![TOKENS[0] => tensor(ids)?, TOKENS[1] => tensor(mask)?];
            if self.session.inputs().len() > TOKENS.len() {
                inputs.extend(ort::inputs![KINDS => tensor(&kinds)?]);
            }
            let outputs = self.session.run(inputs).map_err(told)?;
            let (shape, numbers) = outputs[0].try_extract_tensor::<f32>().map_err(told)?;
            look(shape, numbers)
        }
    }

    fn shape_of(outlet: &Outlet) -> Option<&[i64]> {
        match outlet.dtype() {
            ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } => Some(shape),
            _ => None,
        }
    }

    fn shape(outlet: &Outlet) -> Option<Vec<i64>> {
        shape_of(outlet).map(<[i64]>::to_vec)
    }

    /// Sizes as people write them.
    fn sizes<T: Size>(sizes: &[T]) -> String {
        let each: Vec<String> = sizes.iter().map(|n| n.number().map_or("any".into(), |n| n.to_string())).collect();
        format!("floats [{}]", each.join(", "))
    }

    trait Size {
        fn number(&self) -> Option<i64>;
    }

    impl Size for i64 {
        fn number(&self) -> Option<i64> {
            (*self >= 0).then_some(*self)
        }
    }

    impl Size for Option<i64> {
        fn number(&self) -> Option<i64> {
            *self
        }
    }

    /// The error of a model that was loaded and does not do what it says, or has no memory to do it in.
    fn failed(path: &Path, why: String) -> Error {
        let kind = if is_memory(&why) { Kind::OutOfMemory } else { Kind::Invalid };
        Error::new(kind, format!("the model {} cannot be run", path.display())).because(why)
    }

    fn is_memory(why: &str) -> bool {
        ["bad_alloc", "Failed to allocate", "not enough memory"].iter().any(|said| why.contains(said))
    }

    /// Why a library was not loaded. What the system's loader says is behind the error's own words.
    fn reason(error: &ort::LoadDynamicError) -> String {
        use std::error::Error;

        match error {
            ort::LoadDynamicError::Dlopen { error, .. } => {
                error.source().map_or_else(|| error.to_string(), |said| said.to_string())
            }
            other => other.to_string(),
        }
    }
}
