//! What is known of the clips that brands put around films: measured once an order, before anything is built.

use std::path::PathBuf;

use super::render;
use crate::{
    error::{Error, Result},
    model::{MediaFacts, MediaKind},
    profile::{Brand, Entry, Piece},
    stop::Stop,
};

/// Longest clip around a film, in milliseconds.
const LONGEST: u64 = 10 * 60 * 1000;

/// How many frames a clip is at a rate: as many as come nearest to its length.
pub(crate) fn frames(facts: &MediaFacts, (n, d): (u32, u32)) -> u64 {
    let (n, d) = (u64::from(n.max(1)), u64::from(d.max(1)));
    ((facts.duration_ms.unwrap_or(0) * n + 500 * d) / (1000 * d)).max(1)
}

/// Refuses what is no clip.
pub(super) fn check(facts: &MediaFacts) -> Result<()> {
    if facts.kind != MediaKind::Video || facts.video.is_none() {
        return Err(Error::invalid("it is no film"));
    }
    if let Some(problem) = &facts.problem {
        return Err(Error::corrupt(problem.clone()));
    }
    match facts.duration_ms {
        Some(1..=LONGEST) => Ok(()),
        Some(ms @ 1..) => Err(Error::invalid(format!("it lasts {} s, {} s at most", ms / 1000, LONGEST / 1000))),
        _ => Err(Error::invalid("it does not say how long it is")),
    }
}

/// Clips by their paths.
#[derive(Clone, Debug, Default)]
pub struct Clips(Vec<(PathBuf, MediaFacts)>);

impl Clips {
    /// Measures what the brands of these entries name. Entries whose clips are no use are given with the reason.
    pub fn measure(entries: &[Entry], stop: &Stop) -> (Self, Vec<(String, Error)>) {
        let (mut clips, mut failed) = (Self::default(), Vec::new());
        for entry in entries {
            for clip in entry.brand.iter().flat_map(Brand::clips) {
                if let Err(e) = clips.add(&clip.file, stop) {
                    let what = format!("the brand's {}", clip.file.path.display());
                    failed.push((entry.name.clone(), e.within(what)));
                    break;
                }
            }
        }
        (clips, failed)
    }

    fn add(&mut self, piece: &Piece, stop: &Stop) -> Result<()> {
        if self.of(piece).is_ok() {
            return Ok(());
        }
        let facts = render::measure(&piece.path, stop)?;
        check(&facts)?;
        self.0.push((piece.path.clone(), facts));
        Ok(())
    }

    /// What a clip is.
    pub(crate) fn of(&self, piece: &Piece) -> Result<&MediaFacts> {
        let known = self.0.iter().find(|(path, _)| *path == piece.path);
        known.map(|(_, facts)| facts).ok_or_else(|| Error::internal("a clip that was not measured"))
    }

    /// Whether some clip of a brand has sound.
    pub(crate) fn have_sound(&self, brand: &Brand) -> bool {
        brand.clips().any(|clip| self.of(&clip.file).is_ok_and(|facts| !facts.audio.is_empty()))
    }

    /// How many frames it is at a rate.
    #[cfg(feature = "gst")]
    pub(crate) fn frames(&self, piece: &Piece, rate: (u32, u32)) -> Result<u64> {
        Ok(frames(self.of(piece)?, rate))
    }
}
