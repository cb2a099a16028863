//! A ladder for streaming: every rung and the sound to a fragmented MP4 of its own, from one decode; then cut and listed
//! by [`package`].

use std::path::{Path, PathBuf};

use gstreamer as gst;

use super::{
    Building, Error, Look, Result, Work, audio,
    encoder::Pass,
    video::{self, Container, FilmBranch, Pace, Tally},
};
use crate::{
    media::package::{self, RungKind},
    profile::{Entry, SOUND, Spec, Stream},
};

/// What is being made of a ladder.
pub(super) struct Ladder {
    rungs: Vec<RungBuilt>,
    sound: Option<(PathBuf, u32, u32)>,
}

struct RungBuilt {
    name: String,
    path: PathBuf,
    size: (u32, u32),
    tally: Tally,
}

/// Where a track is kept until it is cut.
fn track(out_dir: &Path, entry: &str, name: &str) -> PathBuf {
    out_dir.join(format!("{entry}.{name}.track"))
}

/// Removes what a ladder that failed may have left.
pub(super) fn clear(out_dir: &Path, entry: &str) {
    let prefix = format!("{entry}.");
    let Ok(files) = std::fs::read_dir(out_dir) else { return };
    for file in files.flatten().filter(|f| f.file_name().to_string_lossy().starts_with(&prefix)) {
        std::fs::remove_file(file.path()).ok();
    }
}

impl Building<'_> {
    pub(super) fn stream(
        &mut self,
        index: usize,
        entry: &Entry,
        spec: &Stream,
        tee: &gst::Element,
        look: &Look,
    ) -> Result<Ladder> {
        let pipeline = self.source.live.pipeline();
        let (facts, out_dir) = (self.work.facts.video.as_ref(), self.work.out_dir);
        let size = self.work.facts.display_size().filter(|(w, h)| *w > 0 && *h > 0);
        let size = size.ok_or_else(|| Error::corrupt("its picture size is not known"))?;
        let mut rungs = Vec::new();
        for (rung, size) in spec.rungs_of(size) {
            let path = track(out_dir, &entry.name, &rung.name);
            let branch = FilmBranch {
                size,
                rotation: facts.map_or(0, |f| f.rotation),
                track: &rung.video,
                rate: facts.map_or((0, 1), |f| f.rate),
                pace: Pace::Kept,
                look,
                background: spec.background(),
                depth: 8,
                timecode: None,
                path: &path,
                container: Container::Rung(rung.video.keyframe_interval),
                has_sound: false,
                pass: Pass::Only,
                brand: None,
            };
            let built = branch.build(pipeline, tee, self.pulse)?;
            self.complaints.own(index, &built.elements);
            rungs.push(RungBuilt { name: rung.name.clone(), path, size, tally: built.tally });
        }
        let mut sound = None;
        if spec.audio.is_some() && !self.work.facts.audio.is_empty() {
            let path = track(out_dir, &entry.name, SOUND);
            let (aac, _) = self.coded(index, entry)?;
            // As long as a segment, so that none is cut from two halves.
            let mux = video::fragments(spec.segment)?;
            let elements = audio::m4a(pipeline, &aac, mux, &path, self.pulse)?;
            self.complaints.own(index, &elements);
            let wanted = entry.spec.sound().ok_or_else(|| Error::internal("a track of no sound"))?;
            let channels = super::mix::channels_of(self.work.facts, &wanted);
            sound = Some((path, channels, wanted.rate.unwrap_or(48_000)));
        }
        Ok(Ladder { rungs, sound })
    }
}

impl Ladder {
    pub(super) fn has_sound(&self) -> bool {
        self.sound.is_some()
    }

    /// Of its first rung.
    pub(super) fn size(&self) -> (u32, u32) {
        self.rungs.first().map_or((0, 0), |rung| rung.size)
    }

    /// What went into its first rung: the same as into each.
    pub(super) fn tally(&self) -> &Tally {
        // A profile asks for one rung at least.
        &self.rungs[0].tally
    }

    /// Cuts and lists it; gives its files.
    pub(super) fn finish(&self, work: &Work<'_>, entry: &Entry) -> Result<Vec<String>> {
        let Spec::Stream(spec) = &entry.spec else { return Err(Error::internal("a ladder that was not asked for")) };
        if self.rungs.iter().any(|rung| rung.tally.buffers() == 0) {
            return Err(Error::corrupt("not one picture of it could be decoded"));
        }
        self.rungs.iter().try_for_each(|rung| package::start::at_once(&rung.path))?;
        let rate = work.facts.video.as_ref().map(|v| v.rate).filter(|(n, d)| *n > 0 && *d > 0);
        let rate = rate.map(|(n, d)| f64::from(n) / f64::from(d));
        let mut rungs: Vec<package::Rung<'_>> = self
            .rungs
            .iter()
            .map(|rung| package::Rung {
                name: &rung.name,
                file: &rung.path,
                kind: RungKind::Video { size: rung.size, rate },
            })
            .collect();
        if let Some((path, channels, rate)) = &self.sound {
            let kind = RungKind::Audio { channels: *channels, rate: *rate };
            rungs.push(package::Rung { name: SOUND, file: path, kind });
        }
        package::package(work.out_dir, &entry.name, &rungs, u64::from(spec.segment.0))
    }
}
