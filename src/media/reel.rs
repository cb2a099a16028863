//! A reel: pictures and sound that are put together of several files, one after another, as one recording. What renders
//! films renders it like any other master; it is described in a file and is never on a disk in one piece.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Doing, Error, Result},
    model::{AudioFacts, FieldOrder, MediaFacts, MediaKind, Range, VideoFacts},
    profile::{Fit, Gain, Logo},
};

/// What a reel's description may be large.
const LARGEST: u64 = 16 << 20;
/// What its container is called in facts.
const CONTAINER: &str = "reel";

/// Scenes one after another, all at one size and rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reel {
    /// Width and height, both even.
    pub size: (u32, u32),
    /// Frames a second, numerator and denominator.
    pub rate: (u32, u32),
    /// In their order.
    pub scenes: Vec<Scene>,
}

/// One scene of a reel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scene {
    /// What is seen.
    pub shows: Shows,
    /// How many frames.
    pub frames: u64,
    /// How it is brought to the reel's size.
    pub fit: Fit,
    /// What is beside it, R'G'B'.
    pub background: [u8; 3],
    /// A picture in a corner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<Logo>,
}

/// What is seen in a scene.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shows {
    /// A part of a film.
    Film {
        /// Its file.
        path: PathBuf,
        /// What it is.
        facts: Box<MediaFacts>,
        /// Where it begins, in milliseconds.
        from_ms: u64,
        /// How much its sound is turned up or down; none: it is silent.
        sound: Option<Gain>,
    },
    /// A still picture.
    Picture {
        /// Its file.
        path: PathBuf,
    },
    /// The background alone.
    Card,
}

impl Reel {
    /// Reads a description.
    pub fn load(path: &Path) -> Result<Self> {
        let doing = || format!("cannot read the reel {}", path.display());
        if std::fs::metadata(path).doing(doing)?.len() > LARGEST {
            return Err(Error::invalid(format!("{}: it is too large", doing())));
        }
        let text = std::fs::read(path).doing(doing)?;
        let reel: Self = serde_json::from_slice(&text).map_err(|e| Error::invalid(doing()).because(e))?;
        let is_even = |side: u32| (16..=8192).contains(&side) && side.is_multiple_of(2);
        let is_sound =
            is_even(reel.size.0) && is_even(reel.size.1) && (1..=240 * reel.rate.1.max(1)).contains(&reel.rate.0);
        match is_sound && reel.rate.1 > 0 && reel.scenes.iter().all(|s| s.frames > 0) && !reel.scenes.is_empty() {
            true => Ok(reel),
            false => Err(Error::invalid(format!("{}: its size, rate or scenes make no sense", doing()))),
        }
    }

    /// Writes the description.
    pub fn save(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec(self).map_err(|e| Error::internal("cannot write a reel").because(e))?;
        std::fs::write(path, text).doing(|| format!("cannot write {}", path.display()))
    }

    /// How many frames it is.
    pub fn frames(&self) -> u64 {
        self.scenes.iter().map(|scene| scene.frames).sum()
    }

    /// The time of a frame, in milliseconds.
    pub fn time_ms(&self, frame: u64) -> u64 {
        frame * 1000 * u64::from(self.rate.1) / u64::from(self.rate.0.max(1))
    }

    /// The time of a frame, in nanoseconds.
    #[cfg(feature = "gst")]
    pub(crate) fn time_ns(&self, frame: u64) -> u64 {
        (u128::from(frame) * 1_000_000_000 * u128::from(self.rate.1) / u128::from(self.rate.0.max(1))) as u64
    }

    /// The files that it is made of.
    pub fn files(&self) -> Vec<PathBuf> {
        let of = |scene: &Scene| {
            let shown = match &scene.shows {
                Shows::Film { path, .. } | Shows::Picture { path } => Some(path.clone()),
                Shows::Card => None,
            };
            shown.into_iter().chain(scene.logo.as_ref().map(|logo| logo.file.path.clone()))
        };
        self.scenes.iter().flat_map(of).collect()
    }

    /// What it is, as a master: pictures as outputs have them, and sound of two channels at 48 kHz.
    pub fn facts(&self) -> MediaFacts {
        let bt709 = || Some("bt709".to_owned());
        MediaFacts {
            container: Some(CONTAINER.to_owned()),
            duration_ms: Some(self.time_ms(self.frames())),
            video: Some(VideoFacts {
                codec: "rawvideo".to_owned(),
                profile: None,
                width: self.size.0,
                height: self.size.1,
                rotation: 0,
                sar: (1, 1),
                rate: self.rate,
                variable_rate: false,
                frames: Some(self.frames()),
                field_order: FieldOrder::Progressive,
                pixel_format: "yuv420p".to_owned(),
                bit_depth: 8,
                alpha: false,
                range: Range::Limited,
                matrix: bt709(),
                primaries: bt709(),
                transfer: bt709(),
            }),
            audio: vec![AudioFacts {
                codec: "pcm_f32le".to_owned(),
                channels: 2,
                rate: 48_000,
                bits: 32,
                layout: Some("stereo".to_owned()),
                language: None,
                loudness: None,
            }],
            ..MediaFacts::bare(MediaKind::Video, "application/json")
        }
    }
}

/// Whether facts are of a reel.
#[cfg(feature = "gst")]
pub(crate) fn is_reel(facts: &MediaFacts) -> bool {
    facts.container.as_deref() == Some(CONTAINER)
}
