//! What is to be seen in a picture: words, objects, colors, and whether it is the same as another.
//!
//! [`text::Reader`] and [`objects::Detector`] run models through an ONNX [`Runtime`] that is loaded when they are asked for;
//! [`tesseract::Reader`] runs a program and needs no model; [`looks`] needs nothing. Each takes a [`Picture`] and tells what is
//! in it; `merge` of [`text`] and of [`objects`] makes findings with times of what is in many frames.
//!
//! It knows nothing of where pictures come from, and keeps nothing.

pub mod looks;
pub mod objects;
mod scale;
pub mod tesseract;
pub mod text;

pub use crate::onnx::{RUNS_ON, Runtime};

use crate::error::{Error, Result};

/// Most pixels of a picture: 64 megapixels are 200 MB.
const MOST: u64 = 1 << 26;

/// Frames after which what was not seen has gone: it may be missed in one.
const GAP: usize = 2;

/// A picture, upright: eight bits each of red, green and blue, a row after the other from the top, without gaps.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    width: u32,
    height: u32,
    rgb: &'a [u8],
}

impl<'a> Picture<'a> {
    /// `Invalid` where it has no pixels, too many, or other than it says.
    pub fn new(width: u32, height: u32, rgb: &'a [u8]) -> Result<Self> {
        let pixels = u64::from(width) * u64::from(height);
        if pixels == 0 || pixels > MOST || pixels * 3 != rgb.len() as u64 {
            let said = format!("a picture of {width} by {height} pixels and {} bytes", rgb.len());
            return Err(Error::invalid(format!("{said} cannot be looked at")));
        }
        Ok(Self { width, height, rgb })
    }

    /// In pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// In pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Its bytes.
    pub fn rgb(&self) -> &'a [u8] {
        self.rgb
    }

    fn scaled(&self, width: u32, height: u32) -> Vec<u8> {
        let size = |width: u32, height: u32| (width as usize, height as usize);
        scale::scaled(self.rgb, size(self.width, self.height), size(width, height))
    }
}

/// Left, top, width and height as shares of a picture's.
pub type Area = [f32; 4];

/// How much two areas have in common, of all that either has.
fn overlap(a: &Area, b: &Area) -> f32 {
    let along = |n: usize| ((a[n] + a[n + 2]).min(b[n] + b[n + 2]) - a[n].max(b[n])).max(0.0);
    let shared = along(0) * along(1);
    let all = a[2] * a[3] + b[2] * b[3] - shared;
    if all > 0.0 { shared / all } else { 0.0 }
}

/// An area from edges in pixels of a picture, as far as it is inside.
fn area(left: f32, top: f32, right: f32, bottom: f32, width: f32, height: f32) -> Area {
    let (left, right) = ((left / width).clamp(0.0, 1.0), (right / width).clamp(0.0, 1.0));
    let (top, bottom) = ((top / height).clamp(0.0, 1.0), (bottom / height).clamp(0.0, 1.0));
    [left, top, (right - left).max(0.0), (bottom - top).max(0.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_the_pixels_that_it_says() {
        assert!(Picture::new(2, 1, &[0; 6]).is_ok());
        for (width, height, bytes) in [(0, 0, 0), (0, 5, 0), (2, 2, 11), (u32::MAX, u32::MAX, 3)] {
            assert!(Picture::new(width, height, &vec![0; bytes]).is_err());
        }
    }

    #[test]
    fn areas_overlap_by_what_they_share() {
        assert_eq!(overlap(&[0.0, 0.0, 0.5, 0.5], &[0.0, 0.0, 0.5, 0.5]), 1.0);
        assert_eq!(overlap(&[0.0, 0.0, 0.5, 0.5], &[0.5, 0.5, 0.5, 0.5]), 0.0);
        assert!((overlap(&[0.0, 0.0, 0.4, 1.0], &[0.2, 0.0, 0.4, 1.0]) - 1.0 / 3.0).abs() < 1e-6);
        assert_eq!(overlap(&[0.5; 4], &[0.1, 0.1, 0.0, 0.0]), 0.0);
        assert_eq!(area(-5.0, 10.0, 50.0, 30.0, 100.0, 20.0), [0.0, 0.5, 0.5, 0.5]);
    }
}
