//! What is said in a sound: where somebody speaks is found first (Silero), and what is said there by Whisper, slice by slice, each
//! with its language, its times and reasons to doubt it.
//!
//! Runs in a process that may die: whisper.cpp ends it where it finds a model at odds with itself.

#[cfg(feature = "whisper")]
mod doubt;
#[cfg(feature = "whisper")]
mod languages;
#[cfg(feature = "whisper")]
mod slices;
#[cfg(feature = "whisper")]
mod spoken;
#[cfg(feature = "whisper")]
mod whisper;

#[cfg(feature = "whisper")]
pub use whisper::Ears;

#[cfg(not(feature = "whisper"))]
pub use without::Ears;

use crate::{error::Result, model::Finding};

/// Samples a second of what is listened to: one channel, −1 to 1.
pub const RATE: usize = 16_000;

/// Whether this build's recognizer uses a graphics processor where there is one.
pub const USES_GPU: bool = cfg!(any(feature = "cuda", feature = "vulkan"));

/// Whether this build's recognizer runs on a graphics processor of this machine.
pub fn has_gpu() -> bool {
    card().is_some()
}

fn card() -> Option<&'static str> {
    let is_there = |folder: &str, name: &str| {
        let mut all = std::fs::read_dir(folder).into_iter().flatten().flatten();
        all.any(|e| e.file_name().to_string_lossy().starts_with(name))
    };
    if cfg!(feature = "cuda") && is_there("/dev", "nvidia0") {
        Some("on NVIDIA's card")
    } else if cfg!(feature = "vulkan") && is_there("/dev/dri", "renderD") {
        Some("on the graphics card by Vulkan")
    } else {
        None
    }
}

/// Where this build's recognizer runs on this machine, in words.
pub fn runs_on() -> &'static str {
    if let Some(card) = card() {
        card
    } else if USES_GPU {
        "on processors: there is no graphics card here"
    } else {
        "on processors (built without 'cuda' and 'vulkan')"
    }
}

/// A sound as it is decoded, from front to back.
pub trait Sound {
    /// The next samples; none at the end.
    fn next(&mut self) -> Result<Option<Vec<f32>>>;
}

/// How a sound is listened to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wish {
    /// The languages that may be spoken (ISO 639-1); none: any that the model knows. With one, it is taken for that, and doubted afterwards.
    pub languages: Vec<String>,
    /// Write down in English as well what is said in another language.
    pub translate: bool,
    /// The times of words as well.
    pub words: bool,
    /// Slices that are listened to at a time, each by one core.
    pub at_a_time: usize,
}

/// What is said in a sound, by time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// As it is said.
    pub said: Vec<Finding>,
    /// All of it in English, where that was wanted.
    pub english: Vec<Finding>,
}

#[cfg(not(feature = "whisper"))]
mod without {
    use std::path::Path;

    use super::{Said, Sound, Wish};
    use crate::{
        error::{Error, Result},
        stop::Stop,
    };

    /// Nobody: this build has no ears.
    pub struct Ears;

    impl Ears {
        /// An error of the kind `Unsupported`.
        pub fn load(_: &Path, _: &Path) -> Result<Self> {
            Err(Error::unsupported("speech to text is not in this build").hint("build it with the feature 'whisper'"))
        }

        /// Nothing.
        pub fn hear(&mut self, _: &mut dyn Sound, _: &Wish, _: &Stop, _: &mut (dyn FnMut(u64) + Send)) -> Result<Said> {
            Ok(Said::default())
        }
    }
}
