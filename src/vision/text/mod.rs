//! Text in picture: lines with their places, and captions that stand over many frames.

mod merge;

#[cfg(feature = "onnx")]
mod boxes;
#[cfg(feature = "onnx")]
mod reader;

pub use merge::merge;
#[cfg(feature = "onnx")]
pub use reader::Reader;

use super::Area;

/// A line that is less sure than this is no text.
pub(super) const LEAST: f32 = 0.5;
/// Nothing can be read in a picture whose shorter side is less, in pixels.
pub(super) const SMALLEST: u32 = 8;

/// A line of text in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What it says.
    pub text: String,
    /// How sure it is, 0 to 1.
    pub score: f32,
    /// Its corners in pixels of the picture, clockwise from the one at which the text begins on top.
    pub corners: [(f32, f32); 4],
    /// The upright rectangle around it.
    pub area: Area,
}

/// How text is looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Threads of one picture.
    pub threads: usize,
    /// The longer side, in pixels, of the picture in which lines are looked for, 320 to 4096; they are read in the picture
    /// itself. Pages in small print want more than frames of a film; time and memory go by its square.
    pub longest: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { threads: 1, longest: 1280 }
    }
}

/// Puts lines in the order in which they are read: from the top, and those side by side from the left.
pub(super) fn in_order(mut lines: Vec<Line>) -> Vec<Line> {
    lines.sort_by(|a, b| a.area[1].total_cmp(&b.area[1]));
    let mut ordered: Vec<Line> = Vec::with_capacity(lines.len());
    let mut row: Vec<Line> = Vec::new();
    for line in lines {
        // In a row are those whose middle is beside its first one.
        let middle = line.area[1] + line.area[3] / 2.0;
        if row.first().is_some_and(|first| middle > first.area[1] + first.area[3]) {
            finish(&mut row, &mut ordered);
        }
        row.push(line);
    }
    finish(&mut row, &mut ordered);
    ordered
}

fn finish(row: &mut Vec<Line>, ordered: &mut Vec<Line>) {
    row.sort_by(|a, b| a.area[0].total_cmp(&b.area[0]));
    ordered.append(row);
}

/// `Unsupported` wherever it is asked for.
#[cfg(not(feature = "onnx"))]
#[derive(Debug)]
pub struct Reader(());

#[cfg(not(feature = "onnx"))]
impl Reader {
    /// Nothing.
    pub fn look_within(&mut self, _: u32) {}

    /// `Unsupported`.
    pub fn load(
        _: &super::Runtime,
        _: &std::path::Path,
        _: &std::path::Path,
        _: &Settings,
    ) -> crate::error::Result<Self> {
        Err(crate::error::Error::unsupported("text in picture cannot be read here").hint("built without 'onnx'"))
    }

    /// Never called: there is none.
    pub fn read(&mut self, _: &super::Picture<'_>, _: &crate::stop::Stop) -> crate::error::Result<Vec<Line>> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_from_the_top_and_from_the_left() {
        let line = |text: &str, area| Line { text: text.into(), score: 1.0, corners: [(0.0, 0.0); 4], area };
        let lines = vec![
            line("three", [0.1, 0.5, 0.3, 0.1]),
            line("two", [0.6, 0.10, 0.3, 0.1]),
            line("one", [0.1, 0.12, 0.3, 0.1]),
            line("four", [0.6, 0.53, 0.3, 0.05]),
        ];
        let read: Vec<String> = in_order(lines).into_iter().map(|l| l.text).collect();
        assert_eq!(read, ["one", "two", "three", "four"]);
    }
}
