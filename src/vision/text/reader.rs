//! PP-OCR: one model tells where lines of text are, another what each of them says.
//!
//! The sizes, thresholds and colors (BGR, -1 to 1) are those with which these models are distributed:
//! <https://github.com/PaddlePaddle/PaddleOCR>.

use std::path::Path;

use super::{
    LEAST, Line, SMALLEST, Settings,
    boxes::{self, Quad},
    in_order,
};
use crate::{
    error::{Error, Result},
    onnx::{Model, Runtime, Want},
    stop::Stop,
    vision::{Picture, area},
};

/// The detector sees pictures whose shorter side is at least this, in pixels, where the longer one has room.
const SHORTER: f32 = 736.0;
/// What the longer side may be bounded to.
const LONGEST: std::ops::RangeInclusive<u32> = 320..=4096;
/// Sides are multiples of this.
const STEP: u32 = 32;
/// Height of a line as it is read, and the most of its width, in pixels.
const HEIGHT: usize = 48;
const WIDEST: usize = 48 * 60;
/// Lines that are read at once, and how much their widths may differ, in pixels.
const AT_ONCE: usize = 8;
const ALIKE: usize = 64;
/// A box that is this much higher than wide has text that runs down.
const UPRIGHT: f32 = 1.5;
/// Under which name the recognizer has its characters, one a line.
const CHARACTERS: &str = "character";

/// Reads text in pictures, over photographs as well as in print.
#[derive(Debug)]
pub struct Reader {
    detector: Model,
    recognizer: Model,
    longest: u32,
    /// By class: nothing, the model's own characters, a space.
    characters: Vec<String>,
}

impl Reader {
    /// Loads a detector and a recognizer.
    ///
    /// `Invalid` tells which of them is another model and what was expected: `[n, 3, height, width]` to
    /// `[n, 1, height, width]`, and `[n, 3, 48, width]` to `[n, steps, classes]` with its characters in the metadata.
    pub fn load(runtime: &Runtime, detector: &Path, recognizer: &Path, settings: &Settings) -> Result<Self> {
        if !LONGEST.contains(&settings.longest) {
            return Err(Error::invalid(format!("pictures of {} pixels a side cannot be read", settings.longest))
                .hint("from 320 to 4096"));
        }
        let detector = Model::load(runtime, detector, settings.threads)?;
        let picture = [None, Some(3), None, None];
        detector.expect("detector of text", &Want { input: &picture, output: &[None, Some(1), None, None] })?;
        let recognizer = Model::load(runtime, recognizer, settings.threads)?;
        let line = [None, Some(3), Some(HEIGHT as i64), None];
        recognizer.expect("recognizer of text", &Want { input: &line, output: &[None; 3] })?;
        let characters = characters(&recognizer)?;
        Ok(Self { detector, recognizer, longest: settings.longest, characters })
    }

    /// Looks for lines in a picture of this longer side from now on.
    pub fn look_within(&mut self, longest: u32) {
        self.longest = longest.clamp(*LONGEST.start(), *LONGEST.end());
    }

    /// The lines of a picture, in the order in which they are read.
    pub fn read(&mut self, picture: &Picture<'_>, stop: &Stop) -> Result<Vec<Line>> {
        stop.check()?;
        let quads = self.detect(picture)?;
        let mut cut: Vec<(Quad, usize)> = quads.into_iter().map(|quad| (quad, width_of(&quad))).collect();
        cut.sort_by_key(|(_, width)| *width);
        let mut lines = Vec::new();
        let mut rest = cut.as_slice();
        while let Some((_, narrowest)) = rest.first() {
            stop.check()?;
            let alike = rest.iter().take(AT_ONCE).take_while(|(_, width)| *width <= narrowest + ALIKE).count();
            let (batch, later) = rest.split_at(alike);
            lines.extend(self.recognize(picture, batch)?);
            rest = later;
        }
        Ok(in_order(lines))
    }

    fn detect(&mut self, picture: &Picture<'_>) -> Result<Vec<Quad>> {
        let (width, height) = (picture.width as f32, picture.height as f32);
        if picture.width.min(picture.height) < SMALLEST {
            return Ok(Vec::new());
        }
        let ratio = (SHORTER / width.min(height)).max(1.0).min(self.longest as f32 / width.max(height));
        let side = |n: f32| ((n * ratio / STEP as f32).round() as u32 * STEP).max(STEP);
        let (wide, high) = (side(width), side(height));
        let rgb = picture.scaled(wide, high);
        let mut input = vec![0.0; rgb.len()];
        lay(&rgb, &mut input);
        let (wide, high) = (wide as usize, high as usize);
        let path = self.detector.path().to_owned();
        let quads = self.detector.run([1, 3, high, wide], &input, |shape, map| {
            if shape != [1, 1, high as i64, wide as i64] {
                return Err(Error::invalid(format!(
                    "{} gives a map of {shape:?} for {wide} by {high}",
                    path.display()
                )));
            }
            Ok(boxes::find(map, wide))
        })?;
        Ok(quads.iter().map(|quad| quad.scaled(width / wide as f32, height / high as f32)).collect())
    }

    fn recognize(&mut self, picture: &Picture<'_>, batch: &[(Quad, usize)]) -> Result<Vec<Line>> {
        let widest = batch.iter().map(|(_, width)| *width).max().unwrap_or(HEIGHT);
        let one = 3 * HEIGHT * widest;
        // What is right of a line is the middle of gray.
        let mut input = vec![0.0; batch.len() * one];
        let mut strip = Vec::new();
        for ((quad, width), input) in batch.iter().zip(input.chunks_exact_mut(one)) {
            cut_out(picture, &direction(quad), *width, &mut strip);
            lay_beside(&strip, *width, widest, input);
        }
        let (characters, path) = (&self.characters, self.recognizer.path().to_owned());
        self.recognizer.run([batch.len(), 3, HEIGHT, widest], &input, |shape, chances| {
            let [count, steps, classes] = *shape else {
                return Err(Error::invalid(format!("{} gives {shape:?}", path.display())));
            };
            if count != batch.len() as i64 || classes != characters.len() as i64 || steps < 1 {
                let known = characters.len();
                return Err(Error::invalid(format!("{} gives {shape:?} for {known} characters", path.display())));
            }
            let each = chances.chunks_exact(steps as usize * characters.len()).zip(batch);
            let line = |(chances, (quad, _)): (&[f32], &(Quad, usize))| {
                let (text, score) = spelled(chances, characters);
                let line = line_of(text.trim().to_owned(), score, &direction(quad), picture);
                // What fills half of a picture with one letter is a thing that looks like it.
                let is_thing = line.text.chars().nth(1).is_none() && line.area[2] * line.area[3] > 0.5;
                (score >= LEAST && !line.text.is_empty() && !is_thing).then_some(line)
            };
            Ok(each.filter_map(line).collect())
        })
    }
}

/// The characters by class; none says more than one line of the metadata.
fn characters(recognizer: &Model) -> Result<Vec<String>> {
    let foreign = |why: String| recognizer.foreign("recognizer of text", &why);
    let said = recognizer.said(CHARACTERS);
    let said = said.ok_or_else(|| foreign(format!("one that has its characters as '{CHARACTERS}' in its metadata")))?;
    let mut all = vec![String::new()];
    // A line that ends is a character, be it one that other texts take for the end of a line.
    all.extend(said.strip_suffix('\n').unwrap_or(&said).split('\n').map(|c| c.trim_end_matches('\r').to_owned()));
    all.push(" ".to_owned());
    let classes = recognizer.output().and_then(|shape| shape.last().copied()).unwrap_or(-1);
    if classes >= 0 && classes != all.len() as i64 {
        return Err(foreign(format!("{} classes, for it has {} characters", all.len(), all.len() - 2)));
    }
    Ok(all)
}

/// The quad as its text runs.
fn direction(quad: &Quad) -> Quad {
    if quad.height() >= UPRIGHT * quad.width() { quad.turned() } else { *quad }
}

/// How wide a line is when it is as high as lines are read.
fn width_of(quad: &Quad) -> usize {
    let quad = direction(quad);
    let width = (HEIGHT as f32 * quad.width() / quad.height().max(1.0)).ceil();
    (width as usize).clamp(HEIGHT, WIDEST)
}

/// Cuts a line out of a picture, straight, into RGB that is as high as lines are read.
fn cut_out(picture: &Picture<'_>, quad: &Quad, width: usize, out: &mut Vec<u8>) {
    let [origin, right, _, down] = quad.0;
    let along = ((right.0 - origin.0) / width as f32, (right.1 - origin.1) / width as f32);
    let across = ((down.0 - origin.0) / HEIGHT as f32, (down.1 - origin.1) / HEIGHT as f32);
    // Where pixels of the picture are smaller, several are looked at for each.
    let looks = (along.0.hypot(along.1).max(across.0.hypot(across.1)).round() as usize).clamp(1, 8);
    let step = 1.0 / looks as f32;
    out.clear();
    out.reserve(width * HEIGHT * 3);
    for y in 0..HEIGHT {
        for x in 0..width {
            let mut sum = [0.0; 3];
            for n in 0..looks * looks {
                let u = x as f32 + ((n % looks) as f32 + 0.5) * step;
                let v = y as f32 + ((n / looks) as f32 + 0.5) * step;
                let at = (origin.0 + u * along.0 + v * across.0, origin.1 + u * along.1 + v * across.1);
                let color = color_at(picture, at.0 - 0.5, at.1 - 0.5);
                sum.iter_mut().zip(color).for_each(|(sum, c)| *sum += c);
            }
            out.extend(sum.map(|sum| (sum * step * step).round() as u8));
        }
    }
}

/// The color between pixels; outside of the picture that of its edge.
fn color_at(picture: &Picture<'_>, x: f32, y: f32) -> [f32; 3] {
    let x = x.clamp(0.0, (picture.width - 1) as f32);
    let y = y.clamp(0.0, (picture.height - 1) as f32);
    let (left, top) = (x as usize, y as usize);
    let (right, bottom) = ((left + 1).min(picture.width as usize - 1), (top + 1).min(picture.height as usize - 1));
    let (u, v) = (x - left as f32, y - top as f32);
    let pixel = |x: usize, y: usize| &picture.rgb[(y * picture.width as usize + x) * 3..][..3];
    let (a, b, c, d) = (pixel(left, top), pixel(right, top), pixel(left, bottom), pixel(right, bottom));
    std::array::from_fn(|n| {
        let above = f32::from(a[n]) * (1.0 - u) + f32::from(b[n]) * u;
        let below = f32::from(c[n]) * (1.0 - u) + f32::from(d[n]) * u;
        above * (1.0 - v) + below * v
    })
}

/// RGB as the models want it: a plane each of blue, green and red, from -1 to 1.
fn lay(rgb: &[u8], planes: &mut [f32]) {
    let one = rgb.len() / 3;
    for (n, pixel) in rgb.as_chunks::<3>().0.iter().enumerate() {
        for (plane, value) in pixel.iter().rev().enumerate() {
            planes[plane * one + n] = f32::from(*value) / 127.5 - 1.0;
        }
    }
}

/// The same on the left of planes that are wider.
fn lay_beside(rgb: &[u8], width: usize, widest: usize, planes: &mut [f32]) {
    let one = HEIGHT * widest;
    for (n, pixel) in rgb.as_chunks::<3>().0.iter().enumerate() {
        for (plane, value) in pixel.iter().rev().enumerate() {
            planes[plane * one + n / width * widest + n % width] = f32::from(*value) / 127.5 - 1.0;
        }
    }
}

/// What the likeliest class of each step spells, and how sure that is: a class that stays is one character, and class 0
/// none.
fn spelled(chances: &[f32], characters: &[String]) -> (String, f32) {
    let (mut text, mut sum, mut count, mut last) = (String::new(), 0.0, 0, 0);
    for step in chances.chunks_exact(characters.len()) {
        let best = step.iter().enumerate().fold((0, f32::MIN), |best, (n, p)| if *p > best.1 { (n, *p) } else { best });
        if best.0 != 0 && best.0 != last {
            text.push_str(&characters[best.0]);
            (sum, count) = (sum + best.1, count + 1);
        }
        last = best.0;
    }
    (text, if count > 0 { sum / count as f32 } else { 0.0 })
}

fn line_of(text: String, score: f32, quad: &Quad, picture: &Picture<'_>) -> Line {
    let (width, height) = (picture.width as f32, picture.height as f32);
    let corners = quad.0.map(|(x, y)| (x.clamp(0.0, width), y.clamp(0.0, height)));
    let edge = |at: fn(&(f32, f32)) -> f32| {
        corners.iter().map(at).fold((f32::MAX, f32::MIN), |(low, high), n| (low.min(n), high.max(n)))
    };
    let ((left, right), (top, bottom)) = (edge(|p| p.0), edge(|p| p.1));
    Line { text, score: score.clamp(0.0, 1.0), corners, area: area(left, top, right, bottom, width, height) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_spell_a_text() {
        let characters = ["", "a", "ñ", " "].map(str::to_owned);
        let steps = [0, 1, 1, 0, 1, 2, 2, 3, 3, 1, 0];
        let chances: Vec<f32> =
            steps.iter().flat_map(|best| (0..4).map(move |n| if n == *best { 0.8 } else { 0.05 })).collect();
        let (text, score) = spelled(&chances, &characters);
        assert_eq!(text, "aañ a");
        assert!((score - 0.8).abs() < 1e-6);
        assert_eq!(spelled(&[], &characters), (String::new(), 0.0));
    }

    #[test]
    fn a_line_is_cut_out_as_it_is_read() {
        // Columns of red and of green, turned by a quarter.
        let (width, height) = (40u32, 100u32);
        let rgb: Vec<u8> =
            (0..width * height).flat_map(|n| if n / width < 50 { [200, 0, 0] } else { [0, 200, 0] }).collect();
        let picture = Picture::new(width, height, &rgb).unwrap();
        let quad = Quad([(0.0, 0.0), (40.0, 0.0), (40.0, 100.0), (0.0, 100.0)]);
        let width = width_of(&quad);
        assert_eq!(width, 120);
        let mut strip = Vec::new();
        cut_out(&picture, &direction(&quad), width, &mut strip);
        let pixel = |x: usize, y: usize| &strip[(y * width + x) * 3..][..3];
        assert_eq!((pixel(10, 24), pixel(110, 24)), (&[200, 0, 0][..], &[0, 200, 0][..]));
    }
}
