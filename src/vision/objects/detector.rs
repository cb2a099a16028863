//! Models that find objects, of two families that are told by what they give.
//!
//! - CenterNet, as `scripts/tfjs-to-onnx` converts it: pictures stretched to a square, 0 to 255; the best 100 boxes, each its
//!   edges in pixels of the square, a score and a class of COCO.
//! - Ultralytics' YOLOv8 and later, as they export it: pictures fitted into a square with gray around, 0 to 1; for each
//!   of thousands of places its middle, its size and a score for each of the classes that the metadata names.

use std::path::Path;

use super::{Object, Settings, labels};
use crate::{
    error::{Error, Result},
    onnx::{Model, Runtime, Want},
    vision::{Area, Picture, area, overlap},
};

/// Objects of one label that share more than this of their areas are one.
const SAME: f32 = 0.5;
/// Most objects of a picture, and most places that are compared for it.
const MOST: usize = 100;
const COMPARED: usize = 2000;
/// Sides of the square of a model that takes any, and the most of another's.
const USUAL: usize = 640;
const LARGEST: i64 = 2048;
/// What is around a fitted picture.
const GRAY: u8 = 114;
/// Where Ultralytics names the classes: `{0: 'person', 1: 'bicycle'}`.
const NAMES: &str = "names";
/// As many boxes as CenterNet gives.
const MANY: i64 = 100;
/// What either family is.
const EXPECTED: &str = "floats [1, 3, side, side] to floats [1, 100, 6] (CenterNet by scripts/tfjs-to-onnx), or to floats \
                        [1, 4 + classes, places] with its classes as 'names' in its metadata (Ultralytics YOLOv8 or YOLO11, \
                        exported without its own suppression of duplicates)";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Family {
    CenterNet,
    Yolo,
}

/// Finds objects in pictures.
#[derive(Debug)]
pub struct Detector {
    model: Model,
    family: Family,
    side: usize,
    classes: Vec<String>,
    settings: Settings,
}

/// A picture laid into the square that a model sees: by what to multiply, and what is on the left and on top.
#[derive(Clone, Copy, Debug)]
struct Fit {
    scale: (f32, f32),
    offset: (f32, f32),
}

/// A box in pixels of the square.
#[derive(Clone, Copy, Debug)]
struct Found {
    edges: [f32; 4],
    score: f32,
    class: usize,
}

impl Detector {
    /// Loads a model. `Invalid` tells what was expected of one that is of neither family.
    pub fn load(runtime: &Runtime, path: &Path, settings: Settings) -> Result<Self> {
        if !(0.0..=1.0).contains(&settings.threshold) {
            return Err(Error::invalid(format!("a threshold of {} is not from 0 to 1", settings.threshold)));
        }
        let model = Model::load(runtime, path, settings.threads)?;
        let foreign = || model.foreign("detector of objects", EXPECTED);
        let want = Want { input: &[None, Some(3), None, None], output: &[None, None, None] };
        model.expect("detector of objects", &want).map_err(|_| foreign())?;
        let side = match model.input() {
            Some([_, _, height, width]) if height == width && *height <= LARGEST => {
                usize::try_from(*height).unwrap_or(USUAL)
            }
            _ => return Err(foreign()),
        };
        let (family, classes) = match (model.output(), model.said(NAMES)) {
            // Ultralytics' own suppression gives six numbers as well, of another meaning.
            (Some([_, MANY, 6]), None) => {
                (Family::CenterNet, labels::coco().map(|(name, _)| name.to_owned()).collect())
            }
            (Some([_, rows, _]), Some(said)) => {
                let names = names(&said).filter(|names| *rows < 0 || *rows == 4 + names.len() as i64);
                (Family::Yolo, names.ok_or_else(foreign)?)
            }
            _ => return Err(foreign()),
        };
        Ok(Self { model, family, side, classes, settings })
    }

    /// The model's own labels, in the order of its classes.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The objects of a picture, the surest first.
    pub fn detect(&mut self, picture: &Picture<'_>) -> Result<Vec<Object>> {
        let (input, fit) = match self.family {
            Family::CenterNet => stretched(picture, self.side),
            Family::Yolo => fitted(picture, self.side),
        };
        let (classes, family, least) = (self.classes.len(), self.family, self.settings.threshold);
        let path = self.model.path().to_owned();
        let mut found = self.model.run([1, 3, self.side, self.side], &input, |shape, numbers| {
            let found = match (family, shape) {
                (Family::CenterNet, [1, _, 6]) => Some(rows(numbers, classes, least)),
                (Family::Yolo, [1, rows, _]) if *rows == 4 + classes as i64 => Some(columns(numbers, classes, least)),
                _ => None,
            };
            found.ok_or_else(|| Error::invalid(format!("{} gives {shape:?} for {classes} classes", path.display())))
        })?;
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(COMPARED);
        let mut kept: Vec<(usize, Object)> = Vec::new();
        for one in found {
            let area = fit.area(&one.edges, picture);
            let is_known =
                |(class, object): &(usize, Object)| *class == one.class && overlap(&object.area, &area) > SAME;
            if area[2] * area[3] == 0.0 || kept.iter().any(is_known) {
                continue;
            }
            let Some(label) = self.settings.labels.name(&self.classes[one.class]) else { continue };
            kept.push((one.class, Object { label: label.to_owned(), score: one.score.min(1.0), area }));
            if kept.len() == MOST {
                break;
            }
        }
        Ok(kept.into_iter().map(|(_, object)| object).collect())
    }
}

impl Fit {
    fn area(&self, edges: &[f32; 4], picture: &Picture<'_>) -> Area {
        let x = |n: f32| (n - self.offset.0) / self.scale.0;
        let y = |n: f32| (n - self.offset.1) / self.scale.1;
        let (width, height) = (picture.width as f32, picture.height as f32);
        area(x(edges[0]), y(edges[1]), x(edges[2]), y(edges[3]), width, height)
    }
}

fn stretched(picture: &Picture<'_>, side: usize) -> (Vec<f32>, Fit) {
    let rgb = picture.scaled(side as u32, side as u32);
    let mut planes = vec![0.0; rgb.len()];
    for (n, pixel) in rgb.as_chunks::<3>().0.iter().enumerate() {
        for (plane, value) in pixel.iter().enumerate() {
            planes[plane * side * side + n] = f32::from(*value);
        }
    }
    let scale = (side as f32 / picture.width as f32, side as f32 / picture.height as f32);
    (planes, Fit { scale, offset: (0.0, 0.0) })
}

fn fitted(picture: &Picture<'_>, side: usize) -> (Vec<f32>, Fit) {
    let ratio = side as f32 / picture.width.max(picture.height) as f32;
    let size = |n: u32| ((n as f32 * ratio).round() as usize).clamp(1, side);
    let (width, height) = (size(picture.width), size(picture.height));
    let (left, top) = ((side - width) / 2, (side - height) / 2);
    let rgb = picture.scaled(width as u32, height as u32);
    let mut planes = vec![f32::from(GRAY) / 255.0; 3 * side * side];
    for (n, pixel) in rgb.as_chunks::<3>().0.iter().enumerate() {
        let at = (top + n / width) * side + left + n % width;
        for (plane, value) in pixel.iter().enumerate() {
            planes[plane * side * side + at] = f32::from(*value) / 255.0;
        }
    }
    let scale = (width as f32 / picture.width as f32, height as f32 / picture.height as f32);
    (planes, Fit { scale, offset: (left as f32, top as f32) })
}

/// CenterNet's boxes, a row each: left, top, right, bottom, score, class.
fn rows(numbers: &[f32], classes: usize, least: f32) -> Vec<Found> {
    let found = |row: &[f32; 6]| {
        let [left, top, right, bottom, score, class] = *row;
        let is_one = row.iter().all(|n| n.is_finite()) && score >= least && class >= 0.0 && (class as usize) < classes;
        is_one.then_some(Found { edges: [left, top, right, bottom], score, class: class as usize })
    };
    numbers.as_chunks().0.iter().filter_map(found).collect()
}

/// YOLO's places, a column each: the middle across and down, width, height, and a score for each class.
fn columns(numbers: &[f32], classes: usize, least: f32) -> Vec<Found> {
    let count = numbers.len() / (4 + classes);
    let at = |row: usize, n: usize| numbers[row * count + n];
    let found = |n: usize| {
        let scores = (0..classes).map(|class| (class, at(4 + class, n)));
        let (class, score) = scores.filter(|(_, score)| *score >= least).max_by(|a, b| a.1.total_cmp(&b.1))?;
        let [x, y, width, height] = std::array::from_fn(|row| at(row, n));
        let edges = [x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0];
        edges.iter().all(|n| n.is_finite()).then_some(Found { edges, score, class })
    };
    (0..count).filter_map(found).collect()
}

/// The classes of a dictionary as Python writes it: numbers from 0 and texts in quotes of either kind.
fn names(said: &str) -> Option<Vec<String>> {
    let mut rest = said.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    let mut names = Vec::new();
    while !rest.is_empty() {
        let (number, after) = rest.split_once(':')?;
        if number.trim().parse() != Ok(names.len()) {
            return None;
        }
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let (name, after) = after[1..].split_once(quote)?;
        names.push(name.to_owned());
        let after = after.trim_start();
        rest = after.strip_prefix(',').map_or(after, str::trim_start);
        if rest == after && !rest.is_empty() {
            return None;
        }
    }
    (!names.is_empty()).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_python_writes_them() {
        assert_eq!(names(r#"{0: 'person', 1: "driver's cab"}"#).unwrap(), ["person", "driver's cab"]);
        for wrong in ["", "{}", "{1: 'a'}", "{0: a}", "{0: 'a' 1: 'b'}", "{0: 'a"] {
            assert_eq!(names(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn places_of_a_fitted_picture_are_places_of_the_picture() {
        let rgb = vec![255; 200 * 100 * 3];
        let picture = Picture::new(200, 100, &rgb).unwrap();
        let (planes, fit) = fitted(&picture, 64);
        // Gray above and below, white between.
        assert_eq!(
            (planes[0], planes[16 * 64], planes[47 * 64], planes[48 * 64]),
            (114.0 / 255.0, 1.0, 1.0, 114.0 / 255.0)
        );
        assert_eq!(fit.area(&[32.0, 16.0, 64.0, 32.0], &picture), [0.5, 0.0, 0.5, 0.5]);
        // Two classes at two places.
        let numbers = [10.0, 40.0, 10.0, 40.0, 8.0, 8.0, 8.0, 8.0, 0.1, 0.6, 0.9, 0.2];
        let found = columns(&numbers, 2, 0.35);
        let told: Vec<_> = found.iter().map(|f| (f.class, f.score, f.edges)).collect();
        assert_eq!(told, [(1, 0.9, [6.0, 6.0, 14.0, 14.0]), (0, 0.6, [36.0, 36.0, 44.0, 44.0])]);
        assert!(rows(&[0.0, 0.0, 9.0, 9.0, 0.9, 80.0, f32::NAN, 0.0, 9.0, 9.0, 0.9, 1.0], 80, 0.3).is_empty());
    }
}
