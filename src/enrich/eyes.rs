//! What is to be seen in a picture, or in the frames of a film: everything that is asked for with one decode.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use super::{
    means::TESSERACT,
    question::{Answer, Found, See, Tools},
};
use crate::{
    error::{Error, Result},
    media::{Limits, image},
    model::{Finding, FindingKind, Looks, MediaKind, Shade, Shot},
    profile::LearnText,
    stop::Stop,
    vision::{
        Picture, Runtime, looks,
        objects::{self, Detector, Labels, Object, Settings},
        tesseract,
        text::{self, Line},
    },
};

/// The longest side of what is looked at, in pixels: a frame's letters are large, a scanned page's are not.
#[cfg(feature = "gst")]
const FRAME: u32 = 1920;
const PAGE: u32 = 4096;
/// The longest side in which lines are looked for: captions are large, and print is small. Both are read at full size.
const LINES: u32 = 1280;
const PRINT: u32 = 2048;
/// Where in a film the frame is that it is compared by: a tenth of the way in, as posters are.
const PLACE: u64 = 10;
/// Least time between frames where only their looks are asked for, in milliseconds.
#[cfg(feature = "gst")]
const GLANCE: u64 = 60_000;

/// Models of pictures, loaded once.
pub(super) struct Eyes {
    reader: Option<text::Reader>,
    detector: Option<Detector>,
}

/// What is asked of them.
pub(super) struct Task<'a> {
    pub(super) see: &'a See,
    /// Where they may write.
    #[cfg_attr(not(feature = "gst"), expect(dead_code, reason = "only decoders of films write"))]
    pub(super) dir: &'a Path,
    pub(super) limits: &'a Limits,
    pub(super) stop: &'a Stop,
    /// Whether models are at work, and nothing is decoded.
    pub(super) thinks: &'a AtomicBool,
}

impl Eyes {
    /// Loads what there is to load.
    pub(super) fn open(tools: &Tools) -> Result<Self> {
        let Tools::Eyes { runtime, text, objects, threads } = tools else {
            return Err(Error::internal("these tools do not see"));
        };
        if text.is_none() && objects.is_none() {
            return Ok(Self { reader: None, detector: None });
        }
        let runtime = Runtime::open(runtime.as_deref())?;
        let reader = text.as_ref().map(|dir| {
            let settings = text::Settings { threads: *threads, ..text::Settings::default() };
            text::Reader::load(&runtime, &dir.join("det.onnx"), &dir.join("rec.onnx"), &settings)
        });
        let detector = objects.as_ref().map(|o| {
            let settings = Settings {
                threshold: o.threshold as f32 / 1000.0,
                threads: *threads,
                labels: Labels::in_language(&o.labels),
            };
            Detector::load(&runtime, &o.model, settings)
        });
        Ok(Self { reader: reader.transpose()?, detector: detector.transpose()? })
    }

    /// Looks at a picture or a film.
    pub(super) fn look(
        &mut self,
        task: &Task<'_>,
        tell: &mut (dyn FnMut(Answer) + Send),
    ) -> Result<(Vec<Found>, Option<Looks>)> {
        let see = task.see;
        if let Some(reader) = &mut self.reader {
            reader.look_within(if see.facts.kind == MediaKind::Video { LINES } else { PRINT });
        }
        let mut seen = Seen::new(self, see, task.stop)?;
        match see.facts.kind {
            MediaKind::Image | MediaKind::Animation => {
                let size = |(w, h): (u32, u32)| within((w, h), PAGE);
                let pixels = image::seen(&see.input, &size, task.limits.pixels)?;
                task.thinks.store(true, Ordering::Relaxed);
                seen.frame(0, true, (pixels.width, pixels.height), &opaque(&pixels))?;
            }
            MediaKind::Video => film(task, &mut seen, tell)?,
            kind => return Err(Error::unsupported(format!("a file of the kind '{kind}' has nothing to be seen"))),
        }
        Ok(seen.end())
    }
}

#[cfg(not(feature = "gst"))]
fn film(_: &Task<'_>, _: &mut Seen<'_>, _: &mut (dyn FnMut(Answer) + Send)) -> Result<()> {
    Err(Error::unsupported("this program was built without GStreamer ('gst')"))
}

#[cfg(feature = "gst")]
fn film(task: &Task<'_>, seen: &mut Seen<'_>, tell: &mut (dyn FnMut(Answer) + Send)) -> Result<()> {
    use crate::media::{Clips, Work, gst};

    let clips = Clips::default();
    let work = Work {
        input: &task.see.input,
        facts: &task.see.facts,
        outputs: Vec::new(),
        out_dir: task.dir,
        limits: task.limits,
        stop: task.stop,
        part: None,
        clips: &clips,
    };
    let length = task.see.facts.duration_ms.unwrap_or(0).max(1);
    let every = [seen.text_every, seen.objects_every, seen.looks.then_some((length / PLACE).clamp(1, GLANCE))];
    let every_ms = every.into_iter().flatten().min().unwrap_or(GLANCE);
    gst::frames(&work, every_ms, FRAME, &mut |frame| {
        task.thinks.store(true, Ordering::Relaxed);
        seen.frame(frame.at_ms, frame.is_cut, (frame.pixels.width, frame.pixels.height), &opaque(&frame.pixels))?;
        task.thinks.store(false, Ordering::Relaxed);
        tell(Answer::Progress { done: (frame.at_ms as f64 / length as f64).min(1.0) });
        Ok(())
    })
}

/// What has been seen so far.
struct Seen<'a> {
    eyes: &'a mut Eyes,
    program: Option<tesseract::Reader>,
    stop: &'a Stop,
    text_every: Option<u64>,
    objects_every: Option<u64>,
    looks: bool,
    /// From when on a frame is read again, and looked at for objects.
    next: (u64, u64),
    lines: Vec<(u64, Vec<Line>)>,
    objects: Vec<(u64, Vec<Object>)>,
    seen: Option<Looks>,
    /// How long it is, in milliseconds; 0 of a picture.
    length: u64,
    /// Where shots begin.
    cuts: Vec<u64>,
    labels: String,
}

impl<'a> Seen<'a> {
    fn new(eyes: &'a mut Eyes, see: &See, stop: &'a Stop) -> Result<Self> {
        let program = |t: &LearnText| {
            (t.model == TESSERACT).then(|| tesseract::Reader::find(None, &t.languages, stop)).transpose()
        };
        let program = see.text.as_ref().map(program).transpose()?.flatten();
        let length = see.facts.duration_ms.unwrap_or(0);
        Ok(Self {
            eyes,
            program,
            stop,
            text_every: see.text.as_ref().map(|t| t.every.0),
            objects_every: see.objects.as_ref().map(|o| o.every.0),
            looks: see.looks,
            next: (0, 0),
            lines: Vec::new(),
            objects: Vec::new(),
            seen: None,
            length: if see.facts.kind == MediaKind::Video { length } else { 0 },
            cuts: Vec::new(),
            labels: see.objects.as_ref().map_or("es", |o| o.labels.as_str()).to_owned(),
        })
    }

    fn frame(&mut self, at_ms: u64, is_cut: bool, (width, height): (u32, u32), rgb: &[u8]) -> Result<()> {
        let picture = Picture::new(width, height, rgb)?;
        if is_cut {
            self.cuts.push(at_ms);
        }
        if self.looks && (self.seen.is_none() || at_ms <= self.length / PLACE) {
            let shade = |c: looks::Color| Shade {
                color: format!("#{:02x}{:02x}{:02x}", c.rgb[0], c.rgb[1], c.rgb[2]),
                name: if self.labels == "es" { c.spanish } else { c.english }.to_owned(),
                share: c.share,
            };
            let colors = looks::colors(&picture).into_iter().map(shade).collect();
            let hash = format!("{:016x}", looks::hash(&picture));
            self.seen = Some(Looks { hash, colors, ..Looks::default() });
        }
        if let Some(every) = self.text_every.filter(|_| is_cut || at_ms >= self.next.0) {
            self.next.0 = at_ms + every;
            let lines = match (&self.program, &mut self.eyes.reader) {
                (Some(program), _) => program.read(&picture, self.stop)?,
                (None, Some(reader)) => reader.read(&picture, self.stop)?,
                (None, None) => return Err(Error::internal("who reads has no model")),
            };
            self.lines.push((at_ms, lines));
        }
        if let Some(every) = self.objects_every.filter(|_| is_cut || at_ms >= self.next.1) {
            self.next.1 = at_ms + every;
            let detector = self.eyes.detector.as_mut().ok_or_else(|| Error::internal("who looks has no model"))?;
            self.objects.push((at_ms, detector.detect(&picture)?));
        }
        Ok(())
    }

    fn end(self) -> (Vec<Found>, Option<Looks>) {
        let length = self.length;
        // What was seen is there until it was looked for again, and not seen.
        let set = |kind, mut items: Vec<Finding>, times: Vec<u64>| {
            for f in &mut items {
                f.to_ms = times.iter().copied().find(|at| *at > f.to_ms).unwrap_or(length.max(f.to_ms));
            }
            Found { kind, track: 0, items }
        };
        let text = self
            .text_every
            .map(|_| set(FindingKind::Text, text::merge(&self.lines), self.lines.iter().map(|(at, _)| *at).collect()));
        let objects = self.objects_every.map(|_| {
            set(FindingKind::Object, objects::merge(&self.objects), self.objects.iter().map(|(at, _)| *at).collect())
        });
        let looks = self.seen.map(|looks| {
            let scenes = if length > 0 { shots(&self.cuts, length) } else { Vec::new() };
            Looks { shots: scenes.len().max(1) as u32, scenes, ..looks }
        });
        (text.into_iter().chain(objects).collect(), looks)
    }
}

/// What is between these cuts, in a film of this length. The first shot begins with the film, wherever its first frame is.
fn shots(cuts: &[u64], length: u64) -> Vec<Shot> {
    let mut starts: Vec<u64> = [0].into_iter().chain(cuts.iter().copied().skip(1)).filter(|at| *at < length).collect();
    starts.dedup();
    let ends = starts.iter().copied().skip(1).chain([length]);
    starts.iter().zip(ends).map(|(from_ms, to_ms)| Shot { from_ms: *from_ms, to_ms }).collect()
}

/// Red, green and blue of each pixel, laid on white where it is transparent.
fn opaque(pixels: &image::Pixels) -> Vec<u8> {
    if !pixels.alpha {
        return pixels.data.clone();
    }
    let over =
        |c: u8, alpha: u8| (u32::from(c) * u32::from(alpha) + 255 * (255 - u32::from(alpha))).div_ceil(255) as u8;
    let each =
        pixels.data.as_chunks::<4>().0.iter().flat_map(|[r, g, b, a]| [over(*r, *a), over(*g, *a), over(*b, *a)]);
    each.collect()
}

/// The size, made smaller where a side is too long.
fn within((width, height): (u32, u32), longest: u32) -> (u32, u32) {
    let side = width.max(height).max(1);
    let fit = |n: u32| (u64::from(n) * u64::from(longest.min(side)) / u64::from(side)).max(1) as u32;
    (fit(width), fit(height))
}
