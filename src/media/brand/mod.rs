//! What a brand does to pictures and sound, without whoever decodes them: planes and samples in and out.
//!
//! Frames are 8 bit 4:2:0 in BT.709 of limited range, upright and of the output's size.

mod backdrop;
mod bed;
mod captions;
mod cube;
mod grade;
mod overlay;
mod shade;

use std::path::Path;

pub(crate) use self::{
    backdrop::{Backdrop, Plane},
    bed::{Bed, Track},
    captions::script,
};
use self::{grade::Graded, overlay::Overlay, shade::Shade};
use crate::{
    error::{Doing, Error, Result},
    media::image::Pixels,
    profile::Brand,
};

/// The planes of a frame.
pub(crate) struct Planes<'a> {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) luma: &'a mut [u8],
    pub(crate) luma_stride: usize,
    /// Cb and Cr.
    pub(crate) chroma: [&'a mut [u8]; 2],
    pub(crate) chroma_stride: usize,
}

/// All that a brand does to frames of one size, but for words.
pub(crate) struct Finish {
    graded: Option<Graded>,
    shade: Option<Shade>,
    logo: Option<Overlay>,
}

impl Finish {
    pub(crate) fn new(brand: &Brand, size: (u32, u32)) -> Result<Self> {
        let graded = brand.grade.as_ref().map(Graded::new).transpose()?;
        let shade = brand.effects.as_ref().and_then(|effects| Shade::new(effects, size));
        let logo = brand.logo.as_ref().map(|logo| Overlay::of_logo(logo, size)).transpose()?;
        Ok(Self { graded, shade, logo })
    }

    /// Whether it changes anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.graded.is_none() && self.shade.is_none() && self.logo.is_none()
    }

    pub(crate) fn apply(&self, frame: &mut Planes<'_>) {
        if let Some(graded) = &self.graded {
            graded.apply(frame);
        }
        if let Some(shade) = &self.shade {
            shade.apply(frame);
        }
        if let Some(logo) = &self.logo {
            logo.apply(frame);
        }
    }
}

/// Lays a picture on a frame, at a place in luma samples.
pub(crate) fn lay_on(picture: &Pixels, at: (u32, u32), frame: &mut Planes<'_>) {
    Overlay::new(picture, at, 1.0).apply(frame);
}

/// A brand's file as text.
fn text(path: &Path, most: u64) -> Result<String> {
    let cannot = || format!("cannot read the brand's file {}", path.display());
    if std::fs::metadata(path).doing(cannot)?.len() > most {
        return Err(Error::invalid(format!("{}: it has more than {} MB", cannot(), most >> 20)));
    }
    let bytes = std::fs::read(path).doing(cannot)?;
    let text = String::from_utf8(bytes).unwrap_or_else(|e| e.into_bytes().iter().map(|b| char::from(*b)).collect());
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}
