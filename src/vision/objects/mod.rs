//! Objects in pictures, with their labels in the archive's language, and when they are to be seen.

mod labels;
mod merge;

#[cfg(feature = "onnx")]
mod detector;

#[cfg(feature = "onnx")]
pub use detector::Detector;
pub use labels::Labels;
pub use merge::merge;

use super::Area;

/// An object in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// What it is.
    pub label: String,
    /// How sure that is, 0 to 1.
    pub score: f32,
    /// Where it is.
    pub area: Area,
}

/// How objects are looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Objects that are less sure are not told, 0 to 1.
    pub threshold: f32,
    /// Threads of one picture.
    pub threads: usize,
    /// What they are called.
    pub labels: Labels,
}

impl Default for Settings {
    fn default() -> Self {
        Self { threshold: 0.35, threads: 1, labels: Labels::default() }
    }
}

/// `Unsupported` wherever it is asked for.
#[cfg(not(feature = "onnx"))]
#[derive(Debug)]
pub struct Detector(());

#[cfg(not(feature = "onnx"))]
impl Detector {
    /// `Unsupported`.
    pub fn load(_: &super::Runtime, _: &std::path::Path, _: Settings) -> crate::error::Result<Self> {
        Err(crate::error::Error::unsupported("objects cannot be found here").hint("built without 'onnx'"))
    }

    /// Never called: there is none.
    pub fn detect(&mut self, _: &super::Picture<'_>) -> crate::error::Result<Vec<Object>> {
        Ok(Vec::new())
    }
}
