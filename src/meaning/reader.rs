//! Models of E5's family: `model.onnx`, which takes tokens, and its `tokenizer.json`. A vector is the mean over a text's tokens.

use std::path::Path;

use tokenizers::{Tokenizer, TruncationParams};

use super::Role;
use crate::{
    error::{Error, Result},
    model::Vector,
    onnx::{Model, Runtime},
    stop::Stop,
};

/// Tokens of a text that are read.
const LONGEST: usize = 512;
/// Most texts, and most tokens, that are read at a time.
const TEXTS: usize = 16;
const TOKENS: usize = 4096;
/// What stands for no token, by the names that tokenizers have for it.
const NOTHING: [&str; 2] = ["<pad>", "[PAD]"];

/// Tells what texts mean.
pub struct Reader {
    model: Model,
    tokenizer: Tokenizer,
    nothing: i64,
}

impl Reader {
    /// Loads a model's folder. `Invalid` for a model of another kind, `Corrupt` for a damaged one.
    pub fn load(runtime: &Runtime, dir: &Path, threads: usize) -> Result<Self> {
        let model = Model::load(runtime, &dir.join("model.onnx"), threads)?;
        model.expect_tokens("model of what texts mean")?;
        let path = dir.join("tokenizer.json");
        let damaged = |e: tokenizers::Error| {
            Error::corrupt(format!("{} is no tokenizer that can be used", path.display()))
                .because(e.to_string())
                .hint("get the model again: 'damctl models verify' tells which files are damaged")
        };
        let mut tokenizer = Tokenizer::from_file(&path).map_err(damaged)?;
        tokenizer
            .with_truncation(Some(TruncationParams { max_length: LONGEST, ..TruncationParams::default() }))
            .map_err(damaged)?
            .with_padding(None);
        let nothing = NOTHING.iter().find_map(|name| tokenizer.token_to_id(name)).map_or(0, i64::from);
        Ok(Self { model, tokenizer, nothing })
    }

    /// A vector for each text, in their order. `tell` hears which share of them is done.
    pub fn read(
        &mut self,
        texts: &[String],
        role: Role,
        stop: &Stop,
        tell: &mut dyn FnMut(f64),
    ) -> Result<Vec<Vector>> {
        let before = match role {
            Role::Query => "query: ",
            Role::Passage => "passage: ",
        };
        let mut tokens: Vec<(usize, Vec<u32>)> = Vec::with_capacity(texts.len());
        for (n, text) in texts.iter().enumerate() {
            let encoded = self.tokenizer.encode_fast(format!("{before}{text}"), true);
            let encoded =
                encoded.map_err(|e| Error::internal("a text cannot be cut into tokens").because(e.to_string()))?;
            tokens.push((n, encoded.get_ids().to_vec()));
        }
        // Texts of about the same length side by side: what is filled up is computed as well.
        tokens.sort_by_key(|(_, ids)| ids.len());
        let mut vectors: Vec<Option<Vector>> = vec![None; texts.len()];
        let (mut rest, mut done) = (tokens.as_slice(), 0);
        while !rest.is_empty() {
            stop.check()?;
            let fits = |n: &usize| n * rest[n - 1].1.len() <= TOKENS;
            let n = (1..=rest.len().min(TEXTS)).take_while(fits).last().unwrap_or(1);
            let (batch, others) = rest.split_at(n);
            for ((at, _), vector) in batch.iter().zip(self.batch(batch)?) {
                vectors[*at] = Some(vector);
            }
            rest = others;
            done += n;
            tell(done as f64 / texts.len() as f64);
        }
        let all: Option<Vec<Vector>> = vectors.into_iter().collect();
        all.ok_or_else(|| Error::internal("a text was not read"))
    }

    fn batch(&mut self, batch: &[(usize, Vec<u32>)]) -> Result<Vec<Vector>> {
        let length = batch.iter().map(|(_, ids)| ids.len()).max().unwrap_or(0);
        let (mut ids, mut mask) = (Vec::new(), Vec::new());
        for (_, tokens) in batch {
            let missing = length - tokens.len();
            ids.extend(tokens.iter().map(|id| i64::from(*id)).chain(std::iter::repeat_n(self.nothing, missing)));
            mask.extend(std::iter::repeat_n(1, tokens.len()).chain(std::iter::repeat_n(0, missing)));
        }
        let path = self.model.path().to_owned();
        let foreign = |sizes: &[i64]| {
            Error::invalid(format!(
                "{} gives floats {sizes:?} for {} texts of {length} tokens",
                path.display(),
                batch.len()
            ))
        };
        self.model.run_tokens([batch.len(), length], [&ids, &mask], |sizes, numbers| {
            let (texts, each) = (batch.len(), length);
            // One vector a text, or one a token, of which the mean is taken.
            let of_text: Vec<Vec<f32>> = match sizes {
                [n, width] if *n == texts as i64 && *width > 0 => {
                    numbers.chunks_exact(*width as usize).map(<[f32]>::to_vec).collect()
                }
                [n, l, width] if *n == texts as i64 && *l == each as i64 && *width > 0 => {
                    let width = *width as usize;
                    let lengths = batch.iter().map(|(_, tokens)| tokens.len());
                    numbers.chunks_exact(each * width).zip(lengths).map(|(text, n)| mean(text, n, width)).collect()
                }
                _ => return Err(foreign(sizes)),
            };
            let vectors: Option<Vec<Vector>> = of_text.iter().map(|numbers| Vector::of(numbers)).collect();
            vectors.filter(|all| all.len() == texts).ok_or_else(|| foreign(sizes))
        })
    }
}

/// The sum over the first `n` of vectors; which way it points is all that is asked.
fn mean(vectors: &[f32], n: usize, width: usize) -> Vec<f32> {
    let mut sum = vec![0.0; width];
    for vector in vectors.chunks_exact(width).take(n) {
        sum.iter_mut().zip(vector).for_each(|(sum, number)| *sum += number);
    }
    sum
}
