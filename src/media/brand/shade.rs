//! Sharpness and shade: a blur, an unsharp mask and a vignette.

use rayon::prelude::*;

use super::Planes;
use crate::profile::Effects;

/// Box blurs that stand for one Gaussian (Wells, "Efficient Synthesis of Gaussian Filters by Cascaded Uniform Filters").
const PASSES: usize = 3;

/// What is done to each frame.
pub(super) struct Shade {
    /// Half of the width of a box, in luma and in chroma; 0 is none.
    blur: [usize; 2],
    /// In 256ths.
    sharpen: i32,
    /// What is left of a sample's distance from black, in 256ths: of luma, and of chroma.
    vignette: Option<[Vec<u16>; 2]>,
}

impl Shade {
    /// None where it would change nothing.
    pub(super) fn new(effects: &Effects, (width, height): (u32, u32)) -> Option<Self> {
        let sigma = effects.blur.of(height);
        // Three boxes of a width w have the variance of a Gaussian of sigma² = (w² − 1) / 4.
        let half = |sigma: f64| (((4.0 * sigma * sigma + 1.0).sqrt() - 1.0) / 2.0).round() as usize;
        let strength = effects.vignette.value() / 100.0;
        let size = (width as usize, height as usize);
        let vignette = (strength > 0.0).then(|| [falloff(size, strength), falloff((size.0 / 2, size.1 / 2), strength)]);
        let shade = Self {
            blur: [half(sigma), half(sigma / 2.0)],
            sharpen: (effects.sharpen * 256.0).round() as i32,
            vignette,
        };
        (shade.blur[0] > 0 || shade.sharpen > 0 || shade.vignette.is_some()).then_some(shade)
    }

    pub(super) fn apply(&self, frame: &mut Planes<'_>) {
        let (width, height) = (frame.width, frame.height);
        let [cb, cr] = &mut frame.chroma;
        if self.blur[0] > 0 {
            let luma = &mut *frame.luma;
            let (stride, chroma_stride) = (frame.luma_stride, frame.chroma_stride);
            rayon::join(
                || blur(luma, stride, (width, height), self.blur[0]),
                || {
                    if self.blur[1] > 0 {
                        blur(cb, chroma_stride, (width / 2, height / 2), self.blur[1]);
                        blur(cr, chroma_stride, (width / 2, height / 2), self.blur[1]);
                    }
                },
            );
        }
        if self.sharpen > 0 {
            sharpen(frame.luma, frame.luma_stride, (width, height), self.sharpen);
        }
        if let Some([luma, chroma]) = &self.vignette {
            darken(frame.luma, frame.luma_stride, width, luma, 16);
            darken(cb, frame.chroma_stride, width / 2, chroma, 128);
            darken(cr, frame.chroma_stride, width / 2, chroma, 128);
        }
    }
}

/// How much is left, from the middle (all) to the corners (all but `strength`), in 256ths.
fn falloff((width, height): (usize, usize), strength: f64) -> Vec<u16> {
    let (half_width, half_height) = (width as f64 / 2.0, height as f64 / 2.0);
    let diagonal = half_width.hypot(half_height).max(1.0);
    let left = |x: usize, y: usize| {
        let distance = (x as f64 + 0.5 - half_width).hypot(y as f64 + 0.5 - half_height) / diagonal;
        // From a third of the way on, with no edge at either end.
        let t = ((distance - 0.35) / 0.65).clamp(0.0, 1.0);
        ((1.0 - strength * t * t * (3.0 - 2.0 * t)) * 256.0).round() as u16
    };
    (0..height).flat_map(|y| (0..width).map(move |x| left(x, y))).collect()
}

fn darken(plane: &mut [u8], stride: usize, width: usize, left: &[u16], zero: i32) {
    plane.par_chunks_mut(stride).zip(left.par_chunks(width.max(1))).for_each(|(row, left)| {
        for (code, left) in row.iter_mut().zip(left) {
            *code = (zero + (((i32::from(*code) - zero) * i32::from(*left) + 128) >> 8)).clamp(0, 255) as u8;
        }
    });
}

/// Adds what a blur of three by three takes away.
fn sharpen(plane: &mut [u8], stride: usize, (width, height): (usize, usize), amount: i32) {
    let before: Vec<u8> = plane.to_vec();
    let row = |y: usize| &before[y.min(height - 1) * stride..][..width];
    plane.par_chunks_mut(stride).take(height).enumerate().for_each(|(y, out)| {
        let rows = [row(y.saturating_sub(1)), row(y), row(y + 1)];
        let column = |x: usize| i32::from(rows[0][x]) + 2 * i32::from(rows[1][x]) + i32::from(rows[2][x]);
        for (x, out) in out[..width].iter_mut().enumerate() {
            let sum = column(x.saturating_sub(1)) + 2 * column(x) + column((x + 1).min(width - 1));
            let code = i32::from(rows[1][x]);
            *out = (code + (((16 * code - sum) * amount + 2048) >> 12)).clamp(0, 255) as u8;
        }
    });
}

/// A Gaussian, near enough. Beyond an edge is what is at it.
fn blur(plane: &mut [u8], stride: usize, (width, height): (usize, usize), half: usize) {
    if width == 0 || height == 0 {
        return;
    }
    let count = (2 * half + 1) as u32;
    for _ in 0..PASSES {
        plane.par_chunks_mut(stride).take(height).for_each_init(Vec::new, |line, row| {
            line.clear();
            line.extend_from_slice(&row[..width]);
            let at = |i: isize| u32::from(line[i.clamp(0, width as isize - 1) as usize]);
            let mut sum: u32 = (-(half as isize)..=half as isize).map(at).sum();
            for (x, out) in row[..width].iter_mut().enumerate() {
                *out = ((sum + count / 2) / count) as u8;
                sum = sum + at((x + half + 1) as isize) - at(x as isize - half as isize);
            }
        });
        let before: Vec<u8> = plane.to_vec();
        let row = |y: isize| &before[y.clamp(0, height as isize - 1) as usize * stride..][..width];
        let mut sums = vec![0_u32; width];
        for y in -(half as isize)..=half as isize {
            sums.iter_mut().zip(row(y)).for_each(|(sum, code)| *sum += u32::from(*code));
        }
        for (y, out) in plane.chunks_mut(stride).take(height).enumerate() {
            out[..width].iter_mut().zip(&sums).for_each(|(out, sum)| *out = ((sum + count / 2) / count) as u8);
            let (coming, going) = (row((y + half + 1) as isize), row(y as isize - half as isize));
            for ((sum, coming), going) in sums.iter_mut().zip(coming).zip(going) {
                *sum = *sum + u32::from(*coming) - u32::from(*going);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Percent;

    fn effects(sharpen: f64, blur: u32, vignette: u32) -> Effects {
        Effects { sharpen, blur: Percent(blur), vignette: Percent(vignette) }
    }

    fn shaded(effects: &Effects, luma: &mut [u8], side: usize) {
        let (mut cb, mut cr) = (vec![128; luma.len() / 4], vec![128; luma.len() / 4]);
        let mut frame = Planes {
            width: side,
            height: side,
            luma,
            luma_stride: side,
            chroma: [&mut cb, &mut cr],
            chroma_stride: side / 2,
        };
        Shade::new(effects, (side as u32, side as u32)).unwrap().apply(&mut frame);
    }

    #[test]
    fn nothing_is_done_where_nothing_is_asked_for() {
        assert!(Shade::new(&effects(0.0, 0, 0), (64, 64)).is_none());
    }

    #[test]
    fn a_blur_spreads_an_edge_as_a_gaussian_does_and_keeps_what_is_flat() {
        let side = 200;
        let mut luma: Vec<u8> = (0..side * side).map(|i| if i % side < side / 2 { 20 } else { 220 }).collect();
        // 2.2 percent of 200 lines: three boxes of nine, a standard deviation of 4.47.
        shaded(&effects(0.0, 22, 0), &mut luma, side);
        let row = &luma[100 * side..][..side];
        assert_eq!((row[0], row[side - 1]), (20, 220));
        // The normal distribution's values there.
        for (x, share) in [(96, 0.217), (104, 0.843), (92, 0.047), (108, 0.971)] {
            let expected = 20.0 + 200.0 * share;
            assert!((f64::from(row[x]) - expected).abs() < 2.5, "{x}: {} {expected}", row[x]);
        }
    }

    #[test]
    fn sharpening_lifts_edges_and_leaves_flat_places() {
        let side = 16;
        let mut luma: Vec<u8> = (0..side * side).map(|i| if i % side < 8 { 100 } else { 150 }).collect();
        shaded(&effects(1.0, 0, 0), &mut luma, side);
        assert_eq!(luma[5 * side..][5..11], [100, 100, 88, 163, 150, 150]);
    }

    #[test]
    fn a_vignette_darkens_the_corners_alone() {
        let side = 64;
        let mut luma = vec![200; side * side];
        shaded(&effects(0.0, 0, 500), &mut luma, side);
        assert_eq!(luma[32 * side + 32], 200);
        assert!((106..=110).contains(&luma[0]), "{}", luma[0]);
    }
}
