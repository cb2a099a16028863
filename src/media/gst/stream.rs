//! A ladder for streaming: every rung and every sound to a fragmented MP4 of its own, from one decode; then cut and listed
//! by [`package`].

use std::path::{Path, PathBuf};

use super::{
    Error, Result, Work,
    around::Part,
    audio,
    branch::Building,
    encoder::Pass,
    run::Complaints,
    video::{self, Container, FilmBranch, Pace, Pictures, Tally},
};
use crate::{
    media::{
        FilmPart,
        package::{self, Label, RungKind, Text},
    },
    profile::{Entry, Spec, Stream, StreamSound},
};

/// What is being made of a ladder.
pub(super) struct Ladder {
    rungs: Vec<RungBuilt>,
    sounds: Vec<SoundBuilt>,
    texts: Vec<Text>,
}

struct RungBuilt {
    name: String,
    path: PathBuf,
    size: (u32, u32),
    tally: Tally,
    part: Option<Part>,
}

struct SoundBuilt {
    path: PathBuf,
    channels: u32,
    of: StreamSound,
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
        pictures: &Pictures,
        texts: Vec<Text>,
    ) -> Result<Ladder> {
        let pipeline = self.source.live.pipeline();
        let tee = pictures.of_depth(pipeline, 8)?;
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
                look: &pictures.look,
                background: spec.background(),
                depth: 8,
                timecode: None,
                path: &path,
                container: Container::Rung(rung.video.keyframe_interval),
                has_sound: false,
                pass: Pass::Only,
                brand: entry.brand.as_ref(),
                around: entry.around(self.work.facts),
                work: self.work,
                meetings: self.heads.meetings.clone(),
                recorder: None,
            };
            let built = branch.build(pipeline, (&tee, &pictures.shared), self.pulse)?;
            self.complaints.own(index, &built.elements);
            let video::FilmBuilt { tally, part, .. } = built;
            rungs.push(RungBuilt { name: rung.name.clone(), path, size, tally, part });
        }
        let mut sounds = Vec::new();
        for of in spec.sounds_of(&self.work.facts.audio) {
            let of = StreamSound { sound: entry.between(of.sound.clone(), self.work.facts), ..of };
            let path = track(out_dir, &entry.name, &of.file);
            let (aac, _) = self.coded(index, of.sound.clone())?;
            // It is cut anew where the pictures are.
            let mux = video::fragments(spec.segment)?;
            let elements = audio::m4a(pipeline, &aac, mux, &path, self.pulse)?;
            self.complaints.own(index, &elements);
            sounds.push(SoundBuilt { path, channels: super::mix::channels_of(self.work.facts, &of.sound), of });
        }
        Ok(Ladder { rungs, sounds, texts })
    }
}

impl Ladder {
    /// Of its first rung.
    pub(super) fn size(&self) -> (u32, u32) {
        self.rungs.first().map_or((0, 0), |rung| rung.size)
    }

    /// What went into its first rung: the same as into each.
    pub(super) fn tally(&self) -> &Tally {
        // A profile asks for one rung at least.
        &self.rungs[0].tally
    }

    /// What of its first rung is the film's own.
    pub(super) fn part(&self) -> Option<FilmPart> {
        self.rungs[0].part.as_ref().map(Part::told)
    }

    /// Cuts and lists it; gives its files.
    pub(super) fn finish(&self, work: &Work<'_>, entry: &Entry) -> Result<Vec<String>> {
        let Spec::Stream(spec) = &entry.spec else { return Err(Error::internal("a ladder that was not asked for")) };
        if self.rungs.iter().any(|rung| rung.tally.buffers() == 0) {
            return Err(Error::corrupt("not one picture of it could be decoded"));
        }
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
        rungs.extend(self.sounds.iter().map(|SoundBuilt { path, channels, of }| {
            let label = of.name.clone().map(|name| Label { name, language: of.language.clone() });
            let kind = RungKind::Audio { channels: *channels, rate: of.sound.rate.unwrap_or(48_000), label };
            package::Rung { name: &of.file, file: path, kind }
        }));
        let parts = (rungs.as_slice(), self.texts.as_slice());
        package::package(work.out_dir, &entry.name, parts, spec)
    }
}

/// The text tracks of each stream, in the order of `wanted`.
pub(super) fn texts(
    work: &Work<'_>,
    wanted: &[&Entry],
    complaints: &mut Complaints,
    progress: &mut dyn FnMut(f64),
) -> Result<Vec<Vec<Text>>> {
    let mut done = 0.0;
    let mut told = || {
        // ffmpeg does not say how much is left where words are few.
        done += (TEXTS - done) / 100.0;
        progress(done);
    };
    let each = wanted.iter().enumerate().map(|(index, entry)| match &entry.spec {
        Spec::Stream(spec) => package::extract(work, entry, spec, &mut told).map_err(|e| complaints.of(index, e)),
        _ => Ok(Vec::new()),
    });
    each.collect()
}

/// The share of the work that reading text tracks is at most.
const TEXTS: f64 = 0.05;
