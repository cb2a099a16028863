//! What texts mean: [`passages`] of an asset, of a length that says one thing, and the [`Reader`] that tells which way each of
//! them points, whatever its language. What is near to a question is what may answer it.

mod passages;
#[cfg(feature = "onnx")]
mod reader;

pub use passages::{KINDS, Passage, passages, words};
#[cfg(feature = "onnx")]
pub use reader::Reader;

/// How passages are cut and read: a change of it is a change of recipes.
pub const VERSION: &str = "meaning/1";

/// What a text is: the models of E5's family are told, and were taught so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// What somebody looks for.
    Query,
    /// What may be found.
    Passage,
}
