//! Audio and video renditions through GStreamer 1.22: [`GstRenderer`] builds one pipeline in which the master is decoded
//! once and fed to all outputs.
//!
//! An end of stream is not success here: what GStreamer leaves out, it leaves out silently. So every output comes with
//! the count and duration of what went into it, and [`gate`](super::gate) judges the files. Crashes of decoders are
//! the caller's business, which runs this in a child process.
//!
//! This is the only place that names the gstreamer crates.

mod animation;
mod around;
mod audio;
mod av1;
mod best;
mod branch;
mod brand;
mod bridge;
mod color;
mod encoder;
mod glance;
mod graph;
mod hdr;
mod hearing;
mod join;
mod level;
mod mezzanine;
mod mix;
mod mp3;
mod peaks;
mod poster;
mod reel;
mod run;
mod scenes;
mod segment;
mod sei;
mod share;
mod showing;
mod source;
mod sprite;
mod still;
mod stream;
#[cfg(test)]
mod tests;
mod timecode;
mod unseen;
mod video;
mod watching;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use gstreamer as gst;
use gstreamer::prelude::*;

pub use hearing::Hearing;
pub use watching::{Seen, frames};

use self::{
    around::Meetings,
    branch::{Branch, Building, fit},
    brand::Beds,
    color::Look,
    encoder::Pass,
    level::Levels,
    mix::Heads,
    run::{Complaints, Pulse, Watch},
    source::{Decode, Source, Wanted, missing_stream},
    video::{FilmBranch, Pictures},
};
use super::{Rendered, Renderer, Work, reel::is_reel, split::Part};
use crate::{
    error::{Error, Result},
    model::{MediaFacts, MediaKind},
    profile::{Entry, Position, Sound, Spec},
};

/// Makes films, sound, waveforms and posters of recordings, and films of animations.
#[derive(Clone, Copy, Debug, Default)]
pub struct GstRenderer;

/// Starts GStreamer. The first time on a host it scans all plugins and writes their registry, which takes half a
/// second or more: worth doing once before many child processes do it all at the same time.
pub fn warm() -> Result<()> {
    gst::init().map_err(|e| Error::unavailable("GStreamer cannot be started").because(e))
}

/// Loads the plugins that nearly all recordings need, so that what is forked later has them. What is missing is told by the file
/// that needs it.
pub fn load() {
    if warm().is_err() {
        return;
    }
    for element in ["uridecodebin", "typefind", "qtdemux", "h264parse", "avdec_h264", "videoconvertscale", "appsink"] {
        gst::ElementFactory::find(element).map(|factory| factory.load().ok());
    }
}

/// An element that the renderer may use.
pub struct ElementCheck {
    /// GStreamer's name of it.
    pub element: &'static str,
    /// Debian's package that brings it.
    pub package: &'static str,
    /// What cannot be made or read without it.
    pub cost: &'static str,
    /// The version of its plugin, when it is installed.
    pub version: Option<String>,
}

/// Looks for every element that the renderer may use.
pub fn elements() -> Vec<ElementCheck> {
    let started = warm().is_ok();
    let version = |element: &str| {
        let factory = gst::ElementFactory::find(element).filter(|_| started)?;
        Some(factory.plugin().map(|p| p.version().to_string()).unwrap_or_default())
    };
    let check = |(element, package, cost)| ElementCheck {
        element,
        package,
        cost,
        version: started.then(|| version(element)).flatten(),
    };
    graph::ELEMENTS.into_iter().map(check).collect()
}

/// GStreamer's version, when it can be started.
pub fn version() -> Result<String> {
    warm()?;
    let (major, minor, micro, _) = gst::version();
    Ok(format!("{major}.{minor}.{micro}"))
}

impl Renderer for GstRenderer {
    fn accepts(&self, facts: &MediaFacts, output: &Entry) -> bool {
        match (facts.kind, &output.spec) {
            (MediaKind::Video, Spec::Sprite(_) | Spec::Scenes(_)) => true,
            (MediaKind::Video | MediaKind::Audio, spec) if spec.is_sound() => !facts.audio.is_empty(),
            (MediaKind::Video, _) => true,
            (MediaKind::Animation, spec) => spec.film().is_some(),
            _ => false,
        }
    }

    fn render(
        &self,
        work: &Work<'_>,
        each: &mut dyn FnMut(&str, Result<Rendered>),
        progress: &mut dyn FnMut(f64),
    ) -> Result<()> {
        warm()?;
        let mut wanted = Vec::new();
        for output in &work.outputs {
            match possible(work, output) {
                Ok(()) => wanted.push(*output),
                Err(e) => each(&output.name, Err(e)),
            }
        }
        if let Some(Part::Segment(_)) = work.part {
            return self.group(work, wanted, (&Levels::new(), &Beds::default()), &mut false, each, progress);
        }
        let mut told = BTreeSet::new();
        let mut lacks_decoder = bridge::is_shown_wrongly(work.facts);
        if !lacks_decoder {
            let mut each = |name: &str, result: Result<Rendered>| {
                told.insert(name.to_owned());
                each(name, result);
            };
            match self.decoded(work, wanted.clone(), &mut lacks_decoder, &mut each, progress) {
                Err(_) if lacks_decoder => {}
                ended => return ended,
            }
        }
        wanted.retain(|entry| !told.contains(&entry.name));
        let bridge = bridge::Bridge::build(work, &mut |done| progress(BRIDGED * done))?;
        let progress = &mut |done| progress(BRIDGED + (1.0 - BRIDGED) * done);
        self.decoded(&bridge.work(work), wanted, &mut lacks_decoder, each, progress)
    }
}

impl GstRenderer {
    /// Makes outputs of what GStreamer itself can decode; `lacks_decoder` becomes true where it cannot.
    fn decoded(
        &self,
        work: &Work<'_>,
        mut wanted: Vec<&Entry>,
        lacks_decoder: &mut bool,
        each: &mut dyn FnMut(&str, Result<Rendered>),
        progress: &mut dyn FnMut(f64),
    ) -> Result<()> {
        let mut from = 0.0;
        let mut beds = Beds::default();
        wanted.retain(|e| match beds.decode(work, &e.sounds_of(work.facts)) {
            Ok(()) => true,
            Err(error) => {
                each(&e.name, Err(error));
                false
            }
        });
        let sounds: Vec<Sound> = wanted.iter().flat_map(|e| e.sounds_of(work.facts)).collect();
        let mut levels = if sounds.iter().any(|s| s.loudness.is_some()) {
            from = MEASURED;
            let mut told = |done| progress(from * done);
            let mut complaints = Complaints::default();
            let measured = level::measure(work, &sounds, &beds, &mut complaints, &mut told);
            measured.inspect_err(|_| *lacks_decoder |= complaints.no_decoder().is_some())?
        } else {
            Levels::new()
        };
        levels.extend(sounds.into_iter().filter(|s| s.bed.is_some() && s.loudness.is_none()).map(level::held));
        let progress = &mut |done| progress(from + (1.0 - from) * done);
        // Which frame is taken must not depend on what else is made, so what is chosen by seeking has a pipeline of its own.
        let only_stills = wanted.iter().all(|e| is_still(e) || is_sought(e));
        let (sought, others) = wanted.into_iter().partition(|e| only_stills || is_sought(e));
        let groups: Vec<Vec<&Entry>> = [sought, others].into_iter().filter(|g: &Vec<&Entry>| !g.is_empty()).collect();
        let count = groups.len() as f64;
        for (i, group) in groups.into_iter().enumerate() {
            let progress = &mut |done| progress((i as f64 + done) / count);
            self.group(work, group, (&levels, &beds), lacks_decoder, each, progress)?;
        }
        Ok(())
    }

    /// Makes outputs that share a decode.
    fn group(
        &self,
        work: &Work<'_>,
        mut wanted: Vec<&Entry>,
        (levels, beds): (&Levels, &Beds),
        lacks_decoder: &mut bool,
        each: &mut dyn FnMut(&str, Result<Rendered>),
        progress: &mut dyn FnMut(f64),
    ) -> Result<()> {
        let looked = wanted.iter().any(|entry| is_two_pass(entry));
        let from = if looked { LOOKED } else { 0.0 };
        // An output that fails takes the pipeline down; the others are begun again without it.
        while !wanted.is_empty() {
            let mut complaints = Complaints::default();
            let made = match (work.facts.kind, work.part) {
                (MediaKind::Animation, _) => animation::render(work, &wanted, &mut complaints, progress),
                (_, Some(Part::Segment(stretch))) => {
                    segment::render(work, &wanted, *stretch, &mut complaints, progress)
                }
                _ => first_look(work, &wanted, &mut complaints, &mut |done| progress(from * done)).and_then(|()| {
                    let progress = &mut |done| progress(from + (1.0 - from) * done);
                    recording(work, &wanted, levels, beds, &mut complaints, progress)
                }),
            };
            match (made, complaints.culprit()) {
                (Ok(results), _) => {
                    for (entry, result) in wanted.iter().zip(results) {
                        let result = result.inspect_err(|_| clear(work.out_dir, entry));
                        each(&entry.name, result);
                    }
                    return Ok(());
                }
                (Err(e), culprit) => {
                    wanted.iter().for_each(|entry| clear(work.out_dir, entry));
                    match culprit.filter(|_| wanted.len() > 1 || e.kind() == crate::error::Kind::Internal) {
                        Some(index) => each(&wanted.remove(index).name, Err(e)),
                        None => {
                            *lacks_decoder |= complaints.no_decoder().is_some();
                            return Err(e);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// The share of the work that ffmpeg's decode is, where GStreamer has none.
const BRIDGED: f64 = 0.3;
/// The share of the work that measuring the sound is, where that is to be done before.
const MEASURED: f64 = 0.1;
/// The share of the rest that looking at the pictures is, where some are encoded in two passes.
const LOOKED: f64 = 0.45;

fn is_two_pass(entry: &Entry) -> bool {
    entry.spec.film().is_some_and(|(film, _)| film.video.is_two_pass())
}

fn possible(work: &Work<'_>, output: &Entry) -> Result<()> {
    let facts = work.facts;
    if work.part.is_some() && (is_reel(facts) || output.around(facts).is_some()) {
        return Err(Error::unsupported("a film with clips around it, or of several files, is made as a whole")
            .hint("leave split_over out"));
    }
    output.sounds_of(facts).iter().try_for_each(|sound| mix::tracks(facts, sound).map(drop))
}

/// The first sound of an output of this master.
fn sound_of(facts: &MediaFacts, entry: &Entry) -> Result<Sound> {
    let first = entry.sounds_of(facts).into_iter().next();
    first.ok_or_else(|| Error::unsupported("the recording has no sound"))
}

fn path(out_dir: &Path, entry: &Entry) -> PathBuf {
    out_dir.join(entry.spec.file_name(&entry.name))
}

/// Removes what a failed output may have begun.
fn clear(out_dir: &Path, entry: &Entry) {
    std::fs::remove_file(video::scratch(&path(out_dir, entry))).ok();
    Pass::clear(out_dir, &entry.name);
    segment::clear(out_dir, entry);
    for (file, _) in entry.spec.files(&entry.name) {
        std::fs::remove_file(out_dir.join(file)).ok();
    }
    if entry.spec.is_open_ended() {
        stream::clear(out_dir, &entry.name);
    }
}

/// Whether its frames are looked for one by one.
fn is_sought(entry: &Entry) -> bool {
    entry.spec.at() == Some(Position::Best) || matches!(entry.spec, Spec::Sprite(_))
}

fn is_still(entry: &Entry) -> bool {
    entry.spec.is_still()
}

fn stall(work: &Work<'_>) -> Duration {
    Duration::from_secs(work.limits.stall_seconds.max(1))
}

/// Renders a master with sound or moving pictures: the results in the order of `wanted`.
fn recording(
    work: &Work<'_>,
    wanted: &[&Entry],
    levels: &Levels,
    beds: &Beds,
    complaints: &mut Complaints,
    progress: &mut dyn FnMut(f64),
) -> Result<Vec<Result<Rendered>>> {
    let stills_only = wanted.iter().all(|e| is_still(e) || is_sought(e));
    let sound_only = wanted.iter().all(|e| e.spec.is_sound());
    let decode = if stills_only { Decode::FewFrames } else { sound_decode(work) };
    // What is joined has its pictures already.
    let is_joined = matches!(work.part, Some(Part::Join(_)));
    let sound_only = sound_only || is_joined;
    let pictures = work.facts.video.is_some() && !sound_only;
    let sounds: Vec<Sound> = wanted.iter().flat_map(|e| e.sounds_of(work.facts)).collect();
    let tracks = mix::needed(work.facts, sounds.iter());
    let streams = wanted_streams(work, pictures, tracks);
    let mut texts = stream::texts(work, wanted, complaints, progress)?;
    let mut source = source::open(work.input, decode, &streams, complaints, stall(work), work.stop)?;
    // What has no decoder is told beside the streams, and may come after them.
    while let Some(message) = source.live.bus().pop_filtered(&[gst::MessageType::Element]) {
        complaints.listen(&message)?;
    }
    missing_stream(&source, work.facts, !sound_only, &streams.tracks, complaints)?;

    let pulse = Pulse::default();
    let wants_stored = wanted.iter().any(|e| matches!(e.spec, Spec::Mezzanine(_)));
    let pictures = match source.video.as_ref().filter(|_| !sound_only) {
        Some(from) => Some(shared_pictures(work, &source, from, wants_stored, &pulse)?),
        None => None,
    };
    if let (true, Some(Pictures { tee, look, .. })) = (stills_only, &pictures) {
        return poster::by_seeking(work, wanted, source, (tee, look), &pulse, complaints, progress);
    }
    let heads = Heads::build(&source, work.facts, &pulse, beds.clone())?;
    let mut built =
        Building { work, source: &source, heads: &heads, levels, pulse: &pulse, complaints, encoded: Vec::new() };
    let mut branches = Vec::new();
    for (index, entry) in wanted.iter().enumerate() {
        let branch = built.branch(index, entry, pictures.as_ref(), std::mem::take(&mut texts[index]));
        branches.push(branch.map_err(|e| built.complaints.blame(index, source.live.bus(), e))?);
    }
    let pipeline = source.live.pipeline().clone();
    let done = || share_done(&pipeline, work);
    source.release()?;
    let watch = Watch { pulse: &pulse, stall: stall(work), stop: work.stop, done: &done, enough: &|| false };
    run::to_the_end(&source.live, &watch, complaints, progress)?;
    drop(pipeline);
    source.live.close();
    let look = pictures.as_ref().map(|p| &p.look);
    let seen = pictures.as_ref().and_then(|p| p.looking.seen());
    let finish = |(branch, entry): (&Branch, &&Entry)| {
        let mut rendered = branch.finish(work, entry, look, &heads, levels)?;
        rendered.input_seen =
            seen.filter(|_| matches!(branch, Branch::Film { .. } | Branch::Stream(_)) && entry.brand.is_none());
        Ok(rendered)
    };
    Ok(branches.iter().zip(wanted).map(finish).collect())
}

/// The pictures of a master, on their way to all outputs.
fn shared_pictures(
    work: &Work<'_>,
    source: &Source,
    from: &gst::Pad,
    wants_stored: bool,
    pulse: &Pulse,
) -> Result<Pictures> {
    let caps = from.current_caps().ok_or_else(|| Error::corrupt("its pictures cannot be decoded"))?;
    let info = gstreamer_video::VideoInfo::from_caps(&caps);
    if info.is_ok_and(|i| u64::from(i.width()) * u64::from(i.height()) > work.limits.pixels) {
        return Err(Error::unsupported(format!("its pictures have more than {} pixels", work.limits.pixels)));
    }
    let facts = work.facts.video.as_ref();
    video::head(source.live.pipeline(), from, Look::of(&caps, facts)?, facts, wants_stored, pulse)
}

/// Has the encoders of two passes look at the pictures, as far as they have not.
fn first_look(
    work: &Work<'_>,
    wanted: &[&Entry],
    complaints: &mut Complaints,
    progress: &mut dyn FnMut(f64),
) -> Result<()> {
    let is_due = |entry: &Entry| is_two_pass(entry) && !Pass::notes(work.out_dir, &entry.name).is_file();
    if !wanted.iter().any(|entry| is_due(entry)) {
        return Ok(());
    }
    let streams = wanted_streams(work, true, BTreeSet::new());
    let mut source = source::open(work.input, sound_decode(work), &streams, complaints, stall(work), work.stop)?;
    missing_stream(&source, work.facts, true, &streams.tracks, complaints)?;
    let pulse = Pulse::default();
    let from = source.video.clone().ok_or_else(|| Error::unsupported("the recording has no pictures"))?;
    let (pictures, meetings) = (shared_pictures(work, &source, &from, false, &pulse)?, Meetings::default());
    for (index, entry) in wanted.iter().enumerate().filter(|(_, entry)| is_due(entry)) {
        let Some((film, format)) = entry.spec.film() else { continue };
        let path = path(work.out_dir, entry);
        let at = (work, &meetings);
        let branch = FilmBranch::of_film(at, fit(work, entry)?, entry, (film, format), &pictures.look, &path);
        let branch = FilmBranch { pass: Pass::First(Pass::notes(work.out_dir, &entry.name)), ..branch };
        let tee = pictures.of_depth(source.live.pipeline(), branch.depth)?;
        let built = branch.build(source.live.pipeline(), (&tee, &pictures.shared), &pulse);
        let built = built.map_err(|e| complaints.blame(index, source.live.bus(), e))?;
        complaints.own(index, &built.elements);
    }
    let pipeline = source.live.pipeline().clone();
    let done = || share_done(&pipeline, work);
    source.release()?;
    let watch = Watch { pulse: &pulse, stall: stall(work), stop: work.stop, done: &done, enough: &|| false };
    run::to_the_end(&source.live, &watch, complaints, progress)?;
    drop(pipeline);
    source.live.close();
    Ok(())
}

fn share_done(pipeline: &gst::Pipeline, work: &Work<'_>) -> f64 {
    let position = pipeline.query_position::<gst::ClockTime>().map_or(0, |p| p.mseconds());
    position as f64 / work.facts.duration_ms.unwrap_or(0).max(1) as f64
}

fn wanted_streams(work: &Work<'_>, pictures: bool, tracks: BTreeSet<usize>) -> Wanted {
    Wanted { pictures, tracks, by_name: work.facts.container.as_deref() == Some("mxf") }
}

/// How a master is opened of which everything is wanted.
fn sound_decode(work: &Work<'_>) -> Decode {
    match work.facts.container.as_deref() {
        _ if is_reel(work.facts) => Decode::Reel,
        Some("wav" | "w64") => Decode::Forward,
        _ => Decode::Everything,
    }
}
