//! A picture with alpha, laid on frames.

use super::Planes;
use crate::{
    error::{Error, Result},
    media::image::{self, Pixels},
    profile::{Corner, Logo},
};

/// Pixels that a logo may have.
const MOST: u64 = 64 << 20;

/// A picture where it is to be, as Y'CbCr of BT.709 and how much of it counts.
pub(super) struct Overlay {
    /// In luma samples; even.
    at: (usize, usize),
    /// In luma samples.
    size: (usize, usize),
    /// Y' and alpha.
    luma: Vec<[u8; 2]>,
    /// Cb, Cr and alpha of every second sample of every second row.
    chroma: Vec<[u8; 3]>,
}

impl Overlay {
    /// A logo for films of this size.
    pub(super) fn of_logo(logo: &Logo, (width, height): (u32, u32)) -> Result<Self> {
        let path = &logo.file.path;
        let fit = |(own_width, own_height): (u32, u32)| {
            let wide = logo.width.of(width).round().max(2.0);
            let high = (wide * f64::from(own_height) / f64::from(own_width.max(1))).round().max(2.0);
            // As wide as asked for, unless that would be higher than the film.
            let scale = (f64::from(height) / high).min(1.0);
            let even = |side: f64, most: u32| ((side * scale) as u32 / 2 * 2).clamp(2, most.max(2));
            (even(wide, width), even(high, height))
        };
        let picture = image::seen(path, &fit, MOST)
            .map_err(|e| Error::invalid(format!("the logo {} cannot be read: {}", path.display(), e.one_line())))?;
        let size = (picture.width, picture.height);
        let margin = logo.margin.of(width.min(height)).round() as u32;
        let (right, bottom) = (width - size.0, height - size.1);
        let (far_right, far_bottom) = (right.saturating_sub(margin), bottom.saturating_sub(margin));
        let (near_left, near_top) = (margin.min(right), margin.min(bottom));
        let at = match logo.corner {
            Corner::TopLeft => (near_left, near_top),
            Corner::TopRight => (far_right, near_top),
            Corner::BottomLeft => (near_left, far_bottom),
            Corner::BottomRight => (far_right, far_bottom),
        };
        Ok(Self::new(&picture, at, logo.opacity.value() / 100.0))
    }

    pub(super) fn new(picture: &Pixels, at: (u32, u32), opacity: f64) -> Self {
        let (width, height) = (picture.width as usize, picture.height as usize);
        let channels = if picture.alpha { 4 } else { 3 };
        let rgba = |p: &[u8]| [p[0], p[1], p[2], p.get(3).copied().unwrap_or(255)];
        let at = (at.0 as usize / 2 * 2, at.1 as usize / 2 * 2);
        let alpha = |a: f64| (a * opacity).round().clamp(0.0, 255.0) as u8;
        let yuv = |[r, g, b]: [f64; 3]| {
            let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
            [
                16.0 + y * 219.0 / 255.0,
                128.0 + (b - y) / 1.8556 * 224.0 / 255.0,
                128.0 + (r - y) / 1.5748 * 224.0 / 255.0,
            ]
        };
        let code = |x: f64| x.round().clamp(0.0, 255.0) as u8;
        let luma = picture.data.chunks_exact(channels).map(rgba);
        let luma = luma.map(|[r, g, b, a]| [code(yuv([r, g, b].map(f64::from))[0]), alpha(f64::from(a))]).collect();
        let mut chroma = Vec::with_capacity(width * height / 4);
        for y in (0..height / 2 * 2).step_by(2) {
            for x in (0..width / 2 * 2).step_by(2) {
                // What is seen through does not count in a color.
                let (mut sum, mut weight) = ([0.0; 3], 0.0);
                for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                    let p = rgba(&picture.data[((y + dy) * width + x + dx) * channels..][..channels]);
                    let a = f64::from(p[3]);
                    weight += a;
                    for (sum, value) in sum.iter_mut().zip(p) {
                        *sum += a * f64::from(value);
                    }
                }
                let [_, cb, cr] = yuv(sum.map(|s| if weight > 0.0 { s / weight } else { 0.0 }));
                chroma.push([code(cb), code(cr), alpha(weight / 4.0)]);
            }
        }
        Self { at, size: (width, height), luma, chroma }
    }

    pub(super) fn apply(&self, frame: &mut Planes<'_>) {
        let ((x, y), (width, height)) = (self.at, self.size);
        for (row, line) in self.luma.chunks_exact(width).enumerate().take(frame.height.saturating_sub(y).min(height)) {
            let start = (y + row) * frame.luma_stride + x;
            let count = width.min(frame.width.saturating_sub(x));
            for (under, [over, alpha]) in frame.luma[start..][..count].iter_mut().zip(line) {
                *under = blend(*under, *over, *alpha);
            }
        }
        let [cb, cr] = &mut frame.chroma;
        for (row, line) in self
            .chroma
            .chunks_exact((width / 2).max(1))
            .enumerate()
            .take(frame.height.saturating_sub(y).min(height) / 2)
        {
            let start = (y / 2 + row) * frame.chroma_stride + x / 2;
            let count = (width / 2).min(frame.width.saturating_sub(x) / 2);
            let under = cb[start..][..count].iter_mut().zip(&mut cr[start..][..count]);
            for ((cb, cr), [u, v, alpha]) in under.zip(line) {
                (*cb, *cr) = (blend(*cb, *u, *alpha), blend(*cr, *v, *alpha));
            }
        }
    }
}

fn blend(under: u8, over: u8, alpha: u8) -> u8 {
    let alpha = u32::from(alpha);
    ((u32::from(under) * (255 - alpha) + u32::from(over) * alpha + 127) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_opaque_covers_and_what_is_not_shines_through() {
        let row = [[255, 255, 255, 255], [255, 255, 255, 255], [255, 0, 0, 0], [255, 0, 0, 0]].concat();
        let picture = Pixels { width: 4, height: 4, alpha: true, data: row.repeat(4) };
        let (mut luma, mut cb, mut cr) = ([50_u8; 64], [100_u8; 16], [100_u8; 16]);
        let mut frame = Planes {
            width: 8,
            height: 8,
            luma: &mut luma,
            luma_stride: 8,
            chroma: [&mut cb, &mut cr],
            chroma_stride: 4,
        };
        Overlay::new(&picture, (2, 2), 1.0).apply(&mut frame);
        assert_eq!(luma[2 * 8 + 2..][..4], [235, 235, 50, 50]);
        assert_eq!(luma[8 + 2..][..4], [50; 4]);
        assert_eq!((&cb[4 + 1..][..2], &cr[4 + 1..][..2]), (&[128, 100][..], &[128, 100][..]));
        let mut frame = Planes {
            width: 8,
            height: 8,
            luma: &mut luma,
            luma_stride: 8,
            chroma: [&mut cb, &mut cr],
            chroma_stride: 4,
        };
        Overlay::new(&picture, (6, 6), 0.5).apply(&mut frame);
        assert_eq!(luma[7 * 8 + 6..], [143, 143]);
    }
}
