//! The branches of a pipeline, one an output: how each is built of what all of them share, and what came of it.

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicU64},
};

use gstreamer as gst;

use super::{
    around, audio,
    color::Look,
    encoder::Pass,
    graph,
    level::{self, Levels},
    mezzanine,
    mix::{self, Heads, Prepared},
    mp3, path,
    peaks::{self, Collected},
    poster,
    run::{Complaints, Pulse},
    scenes::{self, Cuts},
    sound_of,
    source::Source,
    still::{Lookout, Passage},
    stream::Ladder,
    video::{self, FilmBranch, FilmBuilt, Pictures, Tally},
};
use crate::{
    error::{Error, Result},
    media::{
        Heard, Rendered, Work,
        package::{self, Text},
        split::Part,
    },
    profile::{Entry, Film, FilmFormat, Sound, Spec},
};

/// One output's branch, and what is needed to tell how it went.
pub(super) enum Branch {
    Film { built: FilmBuilt, has_sound: bool },
    Mp3 { tally: Tally, samples: Arc<AtomicU64> },
    Sound { tally: Tally },
    Waveform { tally: Tally, collected: Collected },
    Stream(Ladder),
    Still { lookout: Lookout, size: (u32, u32) },
    Scenes { tally: Tally, cuts: Cuts, size: (u32, u32) },
}

/// Builds the branches of all outputs.
pub(super) struct Building<'a> {
    pub(super) work: &'a Work<'a>,
    pub(super) source: &'a Source,
    pub(super) heads: &'a Heads,
    pub(super) levels: &'a Levels,
    pub(super) pulse: &'a Pulse,
    pub(super) complaints: &'a mut Complaints,
    /// AAC and Opus that several outputs share.
    pub(super) encoded: Vec<(Sound, gst::Element, Tally)>,
}

impl Building<'_> {
    pub(super) fn branch(
        &mut self,
        index: usize,
        entry: &Entry,
        pictures: Option<&Pictures>,
        texts: Vec<Text>,
    ) -> Result<Branch> {
        let pipeline = self.source.live.pipeline();
        let path = path(self.work.out_dir, entry);
        let shown = || pictures.ok_or_else(|| Error::unsupported("the recording has no pictures"));
        if let (Some(film), Some(Part::Join(films))) = (entry.spec.film(), self.work.part) {
            let lists = films.get(&entry.name).ok_or_else(|| Error::internal("a film whose segments nobody named"))?;
            return self.joined(index, entry, film, lists);
        }
        if let Some((film, format)) = entry.spec.film() {
            return self.film(index, entry, film, format, shown()?);
        }
        match &entry.spec {
            Spec::Mezzanine(spec) => {
                let built = mezzanine::build(self, entry, spec, shown()?, &path)?;
                self.complaints.own(index, &built.elements);
                Ok(Branch::Film { built, has_sound: spec.audio.is_some() && !self.work.facts.audio.is_empty() })
            }
            Spec::Mp3(spec) => {
                let built = audio::mp3(pipeline, self.prepare(entry, "")?, spec.bitrate, &path, self.pulse)?;
                self.complaints.own(index, &built.elements);
                Ok(Branch::Mp3 { tally: built.tally, samples: built.samples })
            }
            Spec::M4a(_) => {
                let (aac, tally) = self.coded(index, sound_of(self.work.facts, entry)?)?;
                let mux = video::index_first("mp4mux", &path)?;
                let elements = audio::m4a(pipeline, &aac, mux, &path, self.pulse)?;
                self.complaints.own(index, &elements);
                Ok(Branch::Sound { tally })
            }
            Spec::Waveform(spec) => {
                let prepared = self.prepare(entry, "S16LE")?;
                let (elements, tally, collected) =
                    peaks::branch(pipeline, prepared, spec, self.work.out_dir, &entry.name)?;
                self.complaints.own(index, &elements);
                Ok(Branch::Waveform { tally, collected })
            }
            Spec::Stream(spec) => self.stream(index, entry, spec, shown()?, texts).map(Branch::Stream),
            Spec::Wav(_) | Spec::Flac(_) | Spec::Opus(_) | Spec::Ac3(_) => {
                let built = self.sound(entry, &path)?;
                self.complaints.own(index, &built.elements);
                Ok(Branch::Sound { tally: built.tally })
            }
            Spec::Scenes(spec) => {
                let Pictures { tee, look, .. } = shown()?;
                let size = fit(self.work, entry)?;
                let rotation = self.work.facts.video.as_ref().map_or(0, |f| f.rotation);
                let (elements, tally, cuts) = scenes::branch(pipeline, tee, spec, look.route, rotation, size)?;
                self.complaints.own(index, &elements);
                Ok(Branch::Scenes { tally, cuts, size })
            }
            Spec::Sprite(_) => Err(Error::internal("a sprite is not made while all is decoded")),
            Spec::Jpeg(_) | Spec::Webp(_) | Spec::Png(_) | Spec::Avif(_) | Spec::Jxl(_) => {
                let tee = &shown()?.tee;
                let at = entry.spec.at().and_then(|at| at.in_millis(self.work.facts.duration_ms.unwrap_or(0)));
                let at = at.ok_or_else(|| Error::internal("the best frame is not known while all is decoded"))?;
                let lookout = Lookout::default();
                lookout.watch(&Passage::new(graph::pad(tee, "sink")?), gst::ClockTime::from_mseconds(at));
                Ok(Branch::Still { lookout, size: fit(self.work, entry)? })
            }
            other => Err(Error::internal(format!("{} is made in no way", other.mime()))),
        }
    }

    fn film(
        &mut self,
        index: usize,
        entry: &Entry,
        film: &Film,
        format: FilmFormat,
        pictures: &Pictures,
    ) -> Result<Branch> {
        let pipeline = self.source.live.pipeline();
        let path = path(self.work.out_dir, entry);
        let (size, at) = (fit(self.work, entry)?, (self.work, &self.heads.meetings));
        let mut branch = FilmBranch::of_film(at, size, entry, (film, format), &pictures.look, &path);
        if film.video.is_two_pass() {
            branch.pass = Pass::Second(Pass::notes(self.work.out_dir, &entry.name));
        }
        let tee = pictures.of_depth(pipeline, branch.depth)?;
        let built = branch.build(pipeline, (&tee, &pictures.shared), self.pulse)?;
        self.complaints.own(index, &built.elements);
        let has_sound = branch.has_sound;
        if has_sound {
            let (coded, _) = self.coded(index, sound_of(self.work.facts, entry)?)?;
            let waiting = audio::into_mux(pipeline, &coded, &built.mux)?;
            self.complaints.own(index, &waiting);
        }
        Ok(Branch::Film { built, has_sound })
    }

    /// Where an output's sound begins, up to samples of this format.
    pub(super) fn prepare(&self, entry: &Entry, format: &str) -> Result<Prepared> {
        self.prepare_sound(&sound_of(self.work.facts, entry)?, format)
    }

    pub(super) fn prepare_sound(&self, sound: &Sound, format: &str) -> Result<Prepared> {
        let level = level::of(self.levels, sound);
        self.heads.prepare(self.source.live.pipeline(), self.work.facts, sound, format, level)
    }

    fn sound(&self, entry: &Entry, path: &Path) -> Result<audio::SoundBuilt> {
        let (pipeline, pulse) = (self.source.live.pipeline(), self.pulse);
        match &entry.spec {
            Spec::Wav(spec) => {
                let prepared = self.prepare(entry, &format!("S{}LE", spec.bits))?;
                let facts = self.work.facts;
                let channels = entry.spec.sound().map_or(2, |sound| mix::channels_of(facts, &sound));
                let is_large = audio::is_large(spec, channels, facts.duration_ms.unwrap_or(0));
                audio::wav(pipeline, prepared, is_large, path, pulse)
            }
            Spec::Flac(spec) => audio::flac(pipeline, self.prepare(entry, &format!("S{}LE", spec.bits))?, path, pulse),
            Spec::Opus(spec) => audio::opus(pipeline, self.prepare(entry, "")?, spec.bitrate, path, pulse),
            Spec::Ac3(spec) => audio::ac3(pipeline, self.prepare(entry, "")?, spec.bitrate, path, pulse),
            other => Err(Error::internal(format!("{} is no file of sound alone", other.mime()))),
        }
    }

    /// The frames of a sound in its codec.
    pub(super) fn coded(&mut self, index: usize, sound: Sound) -> Result<(gst::Element, Tally)> {
        if let Some((_, tee, tally)) = self.encoded.iter().find(|(s, ..)| *s == sound) {
            return Ok((tee.clone(), tally.clone()));
        }
        let tally = Tally::default();
        let prepared = self.prepare_sound(&sound, "")?;
        let (tee, elements) = audio::coded(self.source.live.pipeline(), prepared, &sound, &tally)?;
        self.complaints.own(index, &elements);
        self.encoded.push((sound, tee.clone(), tally.clone()));
        Ok((tee, tally))
    }
}

pub(super) fn fit(work: &Work<'_>, entry: &Entry) -> Result<(u32, u32)> {
    let size = work.facts.display_size().filter(|(w, h)| *w > 0 && *h > 0);
    size.map(|s| entry.spec.fit(s)).ok_or_else(|| Error::corrupt("its picture size is not known"))
}

impl Branch {
    /// What came of it, once the pipeline is shut down.
    pub(super) fn finish(
        &self,
        work: &Work<'_>,
        entry: &Entry,
        look: Option<&Look>,
        heads: &Heads,
        levels: &Levels,
    ) -> Result<Rendered> {
        let path = path(work.out_dir, entry);
        let heard = |sound: &Sound| {
            let level = level::of(levels, sound);
            let peak = mix::tracks(work.facts, sound).ok().and_then(|tracks| heads.peak(&tracks));
            // What is turned down on purpose is not lost.
            let input_peak_dbfs = peak.map(|p| (p + level.map_or(0.0, |l| l.gain.min(0.0))).max(-200.0));
            Heard { input_peak_dbfs, mixed: mix::told(work.facts, sound, level) }
        };
        let mut sounds = entry.sounds_of(work.facts).into_iter().map(|sound| heard(&sound));
        let first = sounds.next().unwrap_or(Heard { input_peak_dbfs: None, mixed: None });
        let mut rendered = Rendered {
            output: entry.name.clone(),
            files: vec![entry.spec.file_name(&entry.name)],
            size: (0, 0),
            frames: 0,
            duration_ms: 0,
            input_seen: None,
            input_peak_dbfs: first.input_peak_dbfs,
            mixed: first.mixed,
            encoder: None,
            film: None,
            others: sounds.collect(),
        };
        let tally = match self {
            Branch::Film { built, has_sound } => {
                let tally = &built.tally;
                if !has_sound {
                    rendered.input_peak_dbfs = None;
                }
                if tally.buffers() == 0 {
                    return Err(Error::corrupt("not one picture of it could be decoded"));
                }
                std::fs::remove_file(video::scratch(&path)).ok();
                Pass::clear(work.out_dir, &entry.name);
                if let Spec::Mezzanine(spec) = &entry.spec {
                    mezzanine::complete(&path, spec, *has_sound)?;
                }
                if let Spec::Fmp4(_) = &entry.spec {
                    package::start::at_once(&path)?;
                }
                rendered.size = built.size;
                rendered.frames = tally.buffers();
                rendered.encoder = Some(built.encoder.clone());
                rendered.film = built.part.as_ref().map(around::Part::told);
                tally
            }
            Branch::Mp3 { tally, .. } | Branch::Sound { tally } | Branch::Waveform { tally, .. }
                if tally.buffers() == 0 =>
            {
                return Err(Error::corrupt("not one second of its sound could be decoded"));
            }
            Branch::Mp3 { tally, samples } => {
                mp3::complete(&path, samples.load(std::sync::atomic::Ordering::Relaxed))?;
                tally
            }
            Branch::Sound { tally } => {
                std::fs::remove_file(video::scratch(&path)).ok();
                tally
            }
            Branch::Stream(ladder) => {
                rendered.size = ladder.size();
                rendered.frames = ladder.tally().buffers();
                rendered.film = ladder.part();
                rendered.files = ladder.finish(work, entry)?;
                ladder.tally()
            }
            Branch::Waveform { tally, collected } => {
                rendered.files = collected.finish()?;
                tally
            }
            Branch::Scenes { tally, cuts, size } => {
                rendered.size = *size;
                rendered.files = cuts.finish(work.out_dir, &entry.name, tally.end_ms())?;
                rendered.frames = rendered.files.len() as u64 - 1;
                tally
            }
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
