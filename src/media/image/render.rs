//! Makes all wanted stills of one picture with one decode.

use std::{ops::ControlFlow, path::Path};

use super::{
    Model, Pixels, Raw, animation, color,
    decode::{self, Decoded},
    encode,
    header::{self, Format, Header},
    scale,
};
use crate::{
    error::{Doing, Error, Result},
    media::{Rendered, Renderer, Work},
    model::{MediaFacts, MediaKind},
    profile::Entry,
    stop::Stop,
};

/// Renders still pictures, and posters of animations.
pub struct ImageRenderer;

impl Renderer for ImageRenderer {
    fn accepts(&self, facts: &MediaFacts, output: &Entry) -> bool {
        matches!(facts.kind, MediaKind::Image | MediaKind::Animation) && output.spec.is_still()
    }

    fn render(
        &self,
        work: &Work<'_>,
        each: &mut dyn FnMut(&str, Result<Rendered>),
        progress: &mut dyn FnMut(f64),
    ) -> Result<()> {
        work.stop.check()?;
        progress(0.0);
        let header = header::read(work.input)?;
        let decoded = decode(work, &header)?;
        work.stop.check()?;
        progress(0.5);

        let orientation = header.orientation;
        let seen = turned(decoded.stored, orientation);
        let mut wanted = Vec::new();
        for entry in &work.outputs {
            let size = entry.spec.fit(seen);
            match encode::possible(&entry.spec, size) {
                Ok(()) => wanted.push(Wanted { entry, size }),
                Err(error) => each(&entry.name, Err(error)),
            }
        }
        // Each is scaled from the one before, which is as good as from the full picture and many times as fast.
        wanted.sort_by_key(|w| std::cmp::Reverse(u64::from(w.size.0) * u64::from(w.size.1)));
        let Some(largest) = wanted.first() else { return Ok(()) };

        // Color and orientation come after the large step down, when there is little left to convert.
        let raw = scale::raw(decoded.raw, turned(largest.size, orientation))?;
        work.stop.check()?;
        let pixels = scale::upright(color::to_srgb(raw, header.icc.as_deref()), orientation);
        work.stop.check()?;
        progress(0.7);
        let results = cascade(work, &pixels, &wanted);
        work.stop.check()?;
        for (name, result) in results {
            each(name, result);
        }
        progress(1.0);
        Ok(())
    }
}

/// A still picture as it is seen, upright and in sRGB, of a size that is told by its own.
pub fn seen(input: &Path, size: &dyn Fn((u32, u32)) -> (u32, u32), pixel_cap: u64) -> Result<Pixels> {
    let header = header::read(input)?;
    let stored = |stored| turned(size(turned(stored, header.orientation)), header.orientation);
    let decoded = match is_animation(&header) {
        true => of_frame(poster(input, pixel_cap, &Stop::new())?),
        false => decode::still(input, &header, pixel_cap, &stored)?,
    };
    let raw = scale::raw(decoded.raw, stored(decoded.stored))?;
    Ok(scale::upright(color::to_srgb(raw, header.icc.as_deref()), header.orientation))
}

/// An output and its size in pixels.
struct Wanted<'a> {
    entry: &'a Entry,
    size: (u32, u32),
}

/// The size after turning upright, and back: the same operation.
fn turned((width, height): (u32, u32), orientation: u8) -> (u32, u32) {
    if orientation >= 5 { (height, width) } else { (width, height) }
}

fn decode(work: &Work<'_>, header: &Header) -> Result<Decoded> {
    let cap = work.limits.pixels;
    if is_animation(header) {
        return Ok(of_frame(poster(work.input, cap, work.stop)?));
    }
    let needed = |stored: (u32, u32)| {
        let seen = turned(stored, header.orientation);
        let sizes = work.outputs.iter().map(|entry| entry.spec.fit(seen));
        let largest = sizes.fold((1, 1), |most, size| (most.0.max(size.0), most.1.max(size.1)));
        turned(largest, header.orientation)
    };
    decode::still(work.input, header, cap, &needed)
}

fn is_animation(header: &Header) -> bool {
    header.frames > 1 || header.format == Some(Format::Gif)
}

fn of_frame(pixels: Pixels) -> Decoded {
    let stored = (pixels.width, pixels.height);
    Decoded { raw: Raw { width: stored.0, height: stored.1, model: Model::Rgba, data: pixels.data }, stored }
}

/// The first frame that shows something; the first of all when none does.
fn poster(input: &Path, cap: u64, stop: &Stop) -> Result<Pixels> {
    let mut first = None;
    let mut found = None;
    animation::walk(input, cap, &mut |frame| {
        stop.check()?;
        if is_blank(&frame.pixels) {
            first.get_or_insert(frame.pixels);
            return Ok(ControlFlow::Continue(()));
        }
        found = Some(frame.pixels);
        Ok(ControlFlow::Break(()))
    })?;
    found.or(first).ok_or_else(|| Error::corrupt("the animation has no frames"))
}

/// Whether nothing is to be seen: all transparent, or all of one color, as the first frame of a fade often is.
fn is_blank(pixels: &Pixels) -> bool {
    let mut each = pixels.data.chunks_exact(4);
    let Some(one) = each.next() else { return true };
    each.all(|p| p == one || (p[3] == 0 && one[3] == 0))
}

/// Encodes the picture for the first of `wanted` while the next smaller ones are made of it.
fn cascade<'a>(work: &Work<'_>, pixels: &Pixels, wanted: &[Wanted<'a>]) -> Vec<(&'a str, Result<Rendered>)> {
    let Some((now, rest)) = wanted.split_first() else { return Vec::new() };
    let (out_dir, stop) = (work.out_dir, work.stop);
    let (done, smaller) = rayon::join(
        || stop.check().and_then(|()| write(pixels, now, out_dir)),
        || match rest.first() {
            None => Vec::new(),
            Some(next) if next.size == (pixels.width, pixels.height) => cascade(work, pixels, rest),
            Some(next) => match stop.check().and_then(|()| scale::pixels(pixels, next.size)) {
                Ok(pixels) => cascade(work, &pixels, rest),
                Err(error) => {
                    let again = || Error::new(error.kind(), error.to_string());
                    rest.iter().map(|w| (w.entry.name.as_str(), Err(again()))).collect()
                }
            },
        },
    );
    let mut results = vec![(now.entry.name.as_str(), done)];
    results.extend(smaller);
    results
}

fn write(pixels: &Pixels, wanted: &Wanted<'_>, out_dir: &Path) -> Result<Rendered> {
    let Entry { name, spec, .. } = wanted.entry;
    let file = spec.file_name(name);
    let path = out_dir.join(&file);
    let bytes = encode::encode(pixels, spec)?;
    std::fs::write(&path, bytes).doing(|| format!("cannot write {}", path.display()))?;
    Ok(Rendered {
        output: name.clone(),
        files: vec![file],
        size: (pixels.width, pixels.height),
        frames: 1,
        duration_ms: 0,
        input_peak_dbfs: None,
        input_seen: None,
        mixed: None,
        encoder: None,
        film: None,
        others: Vec::new(),
    })
}
