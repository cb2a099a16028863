//! Brings gray, RGB and CMYK to sRGB through the embedded ICC profile.

use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout, Transform8BitExecutor, TransformOptions};
use rayon::prelude::*;

use super::{Model, Pixels, Raw};

/// To 8-bit sRGB. A profile that is damaged, or that is made for another color space than the picture's, says nothing:
/// gray and RGB then count as sRGB already, and CMYK is converted by the plain formula.
pub(super) fn to_srgb(raw: Raw, icc: Option<&[u8]>) -> Pixels {
    let Raw { width, height, model, mut data } = raw;
    let alpha = model.has_alpha();
    let transform = icc.and_then(|icc| transform(icc, model));
    let data = match model {
        Model::Gray | Model::GrayAlpha => {
            let table = gray_table(transform.as_deref());
            let mut out = Vec::with_capacity(data.len() * if alpha { 2 } else { 3 });
            for pixel in data.chunks_exact(model.channels()) {
                out.extend_from_slice(&table[usize::from(pixel[0])]);
                out.extend_from_slice(&pixel[1..]);
            }
            out
        }
        Model::Rgb | Model::Rgba => {
            if let Some(transform) = transform {
                // Row by row, in place but for one row a thread: a full-size picture is not held twice.
                data.par_chunks_mut(width as usize * model.channels()).for_each(|row| {
                    let before = row.to_vec();
                    if transform.transform(&before, row).is_err() {
                        row.copy_from_slice(&before);
                    }
                });
            }
            data
        }
        Model::Cmyk => {
            let mut out = vec![0; data.len() / 4 * 3];
            let rows = data.par_chunks(width as usize * 4).zip(out.par_chunks_mut(width as usize * 3));
            rows.for_each(|(ink, light)| {
                if transform.as_deref().is_none_or(|t| t.transform(ink, light).is_err()) {
                    for (ink, light) in ink.chunks_exact(4).zip(light.chunks_exact_mut(3)) {
                        light.copy_from_slice(&plain(ink));
                    }
                }
            });
            out
        }
    };
    Pixels { width, height, alpha, data }
}

/// CMYK without a profile: each ink takes its share of what the black leaves, `R = (1 − C)(1 − K)`.
fn plain(ink: &[u8]) -> [u8; 3] {
    let left = 255 - u32::from(ink[3]);
    [0, 1, 2].map(|i| (((255 - u32::from(ink[i])) * left + 127) / 255) as u8)
}

/// There are but 256 grays: the profile is asked once for each.
fn gray_table(transform: Option<&Transform8BitExecutor>) -> [[u8; 3]; 256] {
    let mut table = std::array::from_fn(|v| [v as u8; 3]);
    let grays: [u8; 256] = std::array::from_fn(|v| v as u8);
    let mut colors = [0; 256 * 3];
    if transform.is_some_and(|t| t.transform(&grays, &mut colors).is_ok()) {
        for (entry, color) in table.iter_mut().zip(colors.chunks_exact(3)) {
            entry.copy_from_slice(color);
        }
    }
    table
}

/// The transform of a profile, when it fits the picture and changes anything.
fn transform(icc: &[u8], model: Model) -> Option<Arc<Transform8BitExecutor>> {
    let profile = ColorProfile::new_from_slice(icc).ok()?;
    let (space, from, to) = match model {
        Model::Gray | Model::GrayAlpha => (DataColorSpace::Gray, Layout::Gray, Layout::Rgb),
        Model::Rgb => (DataColorSpace::Rgb, Layout::Rgb, Layout::Rgb),
        Model::Rgba => (DataColorSpace::Rgb, Layout::Rgba, Layout::Rgba),
        // moxcms passes four inks as the four components of this layout.
        Model::Cmyk => (DataColorSpace::Cmyk, Layout::Rgba, Layout::Rgb),
    };
    if profile.color_space != space {
        return None;
    }
    let srgb = ColorProfile::new_srgb();
    let build = |from, to| profile.create_transform_8bit(from, &srgb, to, TransformOptions::default()).ok();
    if space == DataColorSpace::Rgb && changes_nothing(build(Layout::Rgb, Layout::Rgb)?.as_ref()) {
        return None;
    }
    build(from, to)
}

/// Whether a transform is sRGB to sRGB, by what it does: the many profiles of that meaning have many names. A grid of
/// 9³ colors may move by one step, which is their rounding.
fn changes_nothing(transform: &Transform8BitExecutor) -> bool {
    let levels = [0u8, 8, 24, 64, 100, 128, 180, 220, 255];
    let mut colors = Vec::with_capacity(levels.len().pow(3) * 3);
    for r in levels {
        for g in levels {
            for b in levels {
                colors.extend([r, g, b]);
            }
        }
    }
    let mut moved = vec![0; colors.len()];
    transform.transform(&colors, &mut moved).is_ok() && colors.iter().zip(&moved).all(|(a, b)| a.abs_diff(*b) <= 1)
}
