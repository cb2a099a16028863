//! Audio and video renditions through GStreamer 1.22: [`GstRenderer`] builds one pipeline in which the master is decoded
//! once and fed to all outputs.
//!
//! An end of stream is not success here: what GStreamer leaves out, it leaves out silently. So every output comes with
//! the count and duration of what went into it, and [`gate`](super::gate) judges the files. Crashes of decoders are
//! the caller's business, which runs this in a child process.
//!
//! This is the only place that names the gstreamer crates.

mod animation;
mod audio;
mod color;
mod graph;
mod hdr;
mod mp3;
mod poster;
mod run;
mod source;
mod still;
#[cfg(test)]
mod tests;
mod video;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use gstreamer as gst;
use gstreamer::prelude::*;

use self::{
    audio::Peak,
    color::Look,
    run::{Complaints, Pulse, Watch},
    source::{Decode, Source},
    still::{Lookout, Passage},
    video::{Mp4Branch, Tally},
};
use super::{Rendered, Renderer, Work};
use crate::{
    error::{Error, Result},
    model::{MediaFacts, MediaKind},
    profile::{AudioTrack, Entry, Spec},
};

/// Makes MP4, MP3, WAV and posters of recordings, and MP4 of animations.
#[derive(Clone, Copy, Debug, Default)]
pub struct GstRenderer;

/// Starts GStreamer. The first time on a host it scans all plugins and writes their registry, which takes half a
/// second or more: worth doing once before many child processes do it all at the same time.
pub fn warm() -> Result<()> {
    gst::init().map_err(|e| Error::unavailable("GStreamer cannot be started").because(e))
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
            (MediaKind::Video, Spec::Mp4(_) | Spec::Jpeg(_) | Spec::Webp(_)) => true,
            (MediaKind::Video | MediaKind::Audio, Spec::Mp3(_) | Spec::Wav(_)) => !facts.audio.is_empty(),
            (MediaKind::Animation, Spec::Mp4(_)) => true,
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
            match possible(work.facts, output) {
                Ok(()) => wanted.push(*output),
                Err(e) => each(&output.name, Err(e)),
            }
        }
        // An output that fails takes the pipeline down; the others are begun again without it.
        while !wanted.is_empty() {
            let mut complaints = Complaints::default();
            let made = match work.facts.kind {
                MediaKind::Animation => animation::render(work, &wanted, &mut complaints, progress),
                _ => recording(work, &wanted, &mut complaints, progress),
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
                        None => return Err(e),
                    }
                }
            }
        }
        Ok(())
    }
}

fn possible(facts: &MediaFacts, output: &Entry) -> Result<()> {
    match &output.spec {
        Spec::Wav(spec) => {
            let channels = facts.audio.first().map_or(2, |a| a.channels);
            audio::fits(spec, channels, facts.duration_ms.unwrap_or(0))
        }
        _ => Ok(()),
    }
}

fn path(out_dir: &Path, entry: &Entry) -> PathBuf {
    out_dir.join(entry.spec.file_name(&entry.name))
}

/// Removes what a failed output may have begun.
fn clear(out_dir: &Path, entry: &Entry) {
    let path = path(out_dir, entry);
    std::fs::remove_file(Mp4Branch::scratch(&path)).ok();
    std::fs::remove_file(path).ok();
}

fn is_still(entry: &Entry) -> bool {
    matches!(entry.spec, Spec::Jpeg(_) | Spec::Webp(_))
}

fn stall(work: &Work<'_>) -> Duration {
    Duration::from_secs(work.limits.stall_seconds.max(1))
}

/// One output's branch, and what is needed to tell how it went.
enum Branch {
    Mp4 { tally: Tally, size: (u32, u32), has_sound: bool },
    Mp3 { tally: Tally, samples: Arc<AtomicU64> },
    Wav { tally: Tally },
    Still { lookout: Lookout, size: (u32, u32) },
}

/// Renders a master with sound or moving pictures: the results in the order of `wanted`.
fn recording(
    work: &Work<'_>,
    wanted: &[&Entry],
    complaints: &mut Complaints,
    progress: &mut dyn FnMut(f64),
) -> Result<Vec<Result<Rendered>>> {
    let stills_only = wanted.iter().all(|e| is_still(e));
    let sound_only = wanted.iter().all(|e| matches!(e.spec, Spec::Mp3(_) | Spec::Wav(_)));
    let decode = match work.facts.container.as_deref() {
        Some("wav" | "w64") => Decode::Forward,
        _ if stills_only => Decode::FewFrames,
        _ => Decode::Everything,
    };
    let pictures = work.facts.video.is_some() && !sound_only;
    let mut source = source::open(work.input, decode, pictures, complaints, stall(work), work.stop)?;
    let wants_sound = wanted.iter().any(|e| sound_of(&e.spec));
    missing_stream(&source, work.facts, !sound_only, wants_sound, complaints)?;

    let pulse = Pulse::default();
    let looks = match source.video.as_ref().filter(|_| !sound_only) {
        Some(pad) => {
            let caps = pad.current_caps().ok_or_else(|| Error::corrupt("its pictures cannot be decoded"))?;
            let info = gstreamer_video::VideoInfo::from_caps(&caps);
            if info.is_ok_and(|i| u64::from(i.width()) * u64::from(i.height()) > work.limits.pixels) {
                return Err(Error::unsupported(format!("its pictures have more than {} pixels", work.limits.pixels)));
            }
            let look = Look::of(&caps, work.facts.video.as_ref())?;
            let facts = work.facts.video.as_ref();
            Some((video::head(source.live.pipeline(), pad, &look, facts, &pulse)?, look))
        }
        None => None,
    };
    if let (true, Some((tee, look))) = (stills_only, &looks) {
        return poster::by_seeking(work, wanted, source, tee, look, &pulse, complaints);
    }
    let sound = match source.audio.as_ref().filter(|_| wants_sound) {
        Some(pad) => Some(audio::head(source.live.pipeline(), pad, &pulse)?),
        None => None,
    };
    let mut built = Building { work, source: &source, pulse: &pulse, complaints, encoded: Vec::new() };
    let mut branches = Vec::new();
    for (index, entry) in wanted.iter().enumerate() {
        let branch = built.branch(index, entry, looks.as_ref(), sound.as_ref().map(|(tee, _)| tee));
        branches.push(branch.map_err(|e| built.complaints.blame(index, source.live.bus(), e))?);
    }
    let duration_ms = work.facts.duration_ms.unwrap_or(0).max(1) as f64;
    let pipeline = source.live.pipeline().clone();
    let done = || {
        let position = pipeline.query_position::<gst::ClockTime>().map_or(0, |p| p.mseconds());
        position as f64 / duration_ms
    };
    source.release()?;
    let watch = Watch { pulse: &pulse, stall: stall(work), stop: work.stop, done: &done, enough: &|| false };
    run::to_the_end(&source.live, &watch, complaints, progress)?;
    drop(pipeline);
    source.live.close();
    let peak = sound.as_ref().map(|(_, peak)| peak);
    let look = looks.as_ref().map(|(_, look)| look);
    Ok(branches.iter().zip(wanted).map(|(branch, entry)| branch.finish(work, entry, look, peak)).collect())
}

fn sound_of(spec: &Spec) -> bool {
    match spec {
        Spec::Mp3(_) | Spec::Wav(_) => true,
        Spec::Mp4(m) => m.audio.is_some(),
        Spec::Jpeg(_) | Spec::Webp(_) => false,
    }
}

/// An error when a stream that was probed, and that an output needs, has no decoder or could not be decoded at all.
fn missing_stream(
    source: &Source,
    facts: &MediaFacts,
    pictures: bool,
    sound: bool,
    complaints: &Complaints,
) -> Result<()> {
    let picture_missing = pictures && source.video.is_none();
    let sound_missing = sound && !facts.audio.is_empty() && source.audio.is_none();
    if !picture_missing && !sound_missing {
        return Ok(());
    }
    let (what, codec) = match &facts.video {
        Some(video) if picture_missing => ("pictures", video.codec.as_str()),
        _ => ("sound", facts.audio.first().map_or("unknown", |a| a.codec.as_str())),
    };
    Err(complaints.no_decoder().unwrap_or_else(|| Error::corrupt(format!("its {what} ({codec}) cannot be decoded"))))
}

/// Builds the branches of all outputs.
struct Building<'a> {
    work: &'a Work<'a>,
    source: &'a Source,
    pulse: &'a Pulse,
    complaints: &'a mut Complaints,
    /// AAC that several outputs share.
    encoded: Vec<(AudioTrack, gst::Element, Tally)>,
}

impl Building<'_> {
    fn branch(
        &mut self,
        index: usize,
        entry: &Entry,
        pictures: Option<&(gst::Element, Look)>,
        sound: Option<&gst::Element>,
    ) -> Result<Branch> {
        let pipeline = self.source.live.pipeline();
        let path = path(self.work.out_dir, entry);
        let silent = || Error::unsupported("the recording has no sound");
        match &entry.spec {
            Spec::Mp4(spec) => {
                let (tee, look) = pictures.ok_or_else(|| Error::unsupported("the recording has no pictures"))?;
                let facts = self.work.facts.video.as_ref();
                let size = fit(self.work, entry)?;
                let branch = Mp4Branch {
                    size,
                    rotation: facts.map_or(0, |f| f.rotation),
                    track: &spec.video,
                    rate: facts.map_or((0, 1), |f| f.rate),
                    route: look.route,
                    path: &path,
                };
                let built = branch.build(pipeline, tee, self.pulse)?;
                self.complaints.own(index, &built.elements);
                let tracks = spec.audio.as_ref().zip(sound);
                if let Some((track, raw)) = tracks {
                    let aac = self.aac(index, track, raw)?;
                    let waiting = audio::into_mux(pipeline, &aac, &built.mux)?;
                    self.complaints.own(index, &waiting);
                }
                Ok(Branch::Mp4 { tally: built.tally, size, has_sound: tracks.is_some() })
            }
            Spec::Mp3(spec) => {
                let built = audio::mp3(pipeline, sound.ok_or_else(silent)?, spec, &path, self.pulse)?;
                self.complaints.own(index, &built.elements);
                Ok(Branch::Mp3 { tally: built.tally, samples: built.samples })
            }
            Spec::Wav(spec) => {
                let built = audio::wav(pipeline, sound.ok_or_else(silent)?, spec, &path, self.pulse)?;
                self.complaints.own(index, &built.elements);
                Ok(Branch::Wav { tally: built.tally })
            }
            Spec::Jpeg(spec) | Spec::Webp(spec) => {
                let (tee, _) = pictures.ok_or_else(|| Error::unsupported("the recording has no pictures"))?;
                let at = spec.at.in_millis(self.work.facts.duration_ms.unwrap_or(0));
                let lookout = Lookout::default();
                lookout.watch(&Passage::new(graph::pad(tee, "sink")?), gst::ClockTime::from_mseconds(at));
                Ok(Branch::Still { lookout, size: fit(self.work, entry)? })
            }
        }
    }

    fn aac(&mut self, index: usize, track: &AudioTrack, raw: &gst::Element) -> Result<gst::Element> {
        if let Some((_, tee, _)) = self.encoded.iter().find(|(known, ..)| known == track) {
            return Ok(tee.clone());
        }
        let tally = Tally::default();
        let (tee, elements) = audio::aac(self.source.live.pipeline(), raw, track, &tally)?;
        self.complaints.own(index, &elements);
        self.encoded.push((track.clone(), tee.clone(), tally));
        Ok(tee)
    }
}

fn fit(work: &Work<'_>, entry: &Entry) -> Result<(u32, u32)> {
    let size = work.facts.display_size().filter(|(w, h)| *w > 0 && *h > 0);
    size.map(|s| entry.spec.fit(s)).ok_or_else(|| Error::corrupt("its picture size is not known"))
}

impl Branch {
    /// What came of it, once the pipeline is shut down.
    fn finish(&self, work: &Work<'_>, entry: &Entry, look: Option<&Look>, peak: Option<&Peak>) -> Result<Rendered> {
        let path = path(work.out_dir, entry);
        let mut rendered = Rendered {
            output: entry.name.clone(),
            files: vec![entry.spec.file_name(&entry.name)],
            size: (0, 0),
            frames: 0,
            duration_ms: 0,
            input_peak_dbfs: peak.map(Peak::dbfs),
        };
        let tally = match self {
            Branch::Mp4 { tally, size, has_sound } => {
                if !has_sound {
                    rendered.input_peak_dbfs = None;
                }
                if tally.buffers() == 0 {
                    return Err(Error::corrupt("not one picture of it could be decoded"));
                }
                std::fs::remove_file(Mp4Branch::scratch(&path)).ok();
                rendered.size = *size;
                rendered.frames = tally.buffers();
                tally
            }
            Branch::Mp3 { tally, .. } | Branch::Wav { tally } if tally.buffers() == 0 => {
                return Err(Error::corrupt("not one second of its sound could be decoded"));
            }
            Branch::Mp3 { tally, samples } => {
                mp3::complete(&path, samples.load(std::sync::atomic::Ordering::Relaxed))?;
                tally
            }
            Branch::Wav { tally } => tally,
            Branch::Still { lookout, size } => {
                let (frame, look) = lookout
                    .frame()
                    .zip(look)
                    .ok_or_else(|| Error::corrupt("not one picture of it could be decoded"))?;
                return poster::write(work, entry, &frame, look, *size);
            }
        };
        rendered.duration_ms = tally.end_ms();
        Ok(rendered)
    }
}
