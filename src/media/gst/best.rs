//! Which frame stands for a recording: of some at even distances, a sharp one with contrast, neither dark nor burnt out,
//! and not in the middle of a fade. The same file gives the same frame, whatever else is made of it.

use gstreamer as gst;

use super::{color::Look, poster::Seeker, still};
use crate::{
    error::{Error, Result},
    media::image::Pixels,
};

/// How many frames are looked at.
const CANDIDATES: u64 = 20;
/// Fewer keyframes than this say little of a recording; then any frames are looked at.
const ENOUGH: usize = 8;
/// The width at which they are compared.
const WIDTH: u32 = 320;
/// How many of the best are tried before a fade is taken.
const TRIED: usize = 6;
/// The distance at which a fade shows.
const LATER: gst::ClockTime = gst::ClockTime::from_mseconds(320);

/// One frame as it is compared.
struct Candidate {
    begins: gst::ClockTime,
    luma: Luma,
    score: f64,
}

/// Where the best frame is.
pub(super) fn place(seeker: &mut Seeker<'_>, look: &Look, progress: &mut dyn FnMut(f64)) -> Result<gst::ClockTime> {
    let duration_ms = seeker.work.facts.duration_ms.unwrap_or(0);
    // The first and the last twentieth are left to titles.
    let place =
        |i: u64| gst::ClockTime::from_mseconds(duration_ms * (CANDIDATES + 9 * (2 * i + 1)) / (20 * CANDIDATES));
    let mut all = Vec::new();
    for i in 0..CANDIDATES {
        if let Some(frame) = seeker.keyframe_before(place(i))? {
            add(&mut all, seeker, look, &frame)?;
        }
        progress(0.4 * i as f64 / CANDIDATES as f64);
    }
    if all.len() < ENOUGH {
        for i in 0..CANDIDATES {
            let frame = seeker.frame_at(place(i))?;
            add(&mut all, seeker, look, &frame)?;
            progress(0.4 + 0.4 * i as f64 / CANDIDATES as f64);
        }
    }
    all.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.begins.cmp(&b.begins)));
    let first = all.first().ok_or_else(|| Error::corrupt("not one picture of it could be decoded"))?.begins;
    for candidate in all.iter().take(TRIED) {
        let later = seeker.frame_at(candidate.begins + LATER)?;
        if !candidate.luma.fades_to(&Luma::of(&small(seeker, look, &later)?)) {
            return Ok(candidate.begins);
        }
    }
    Ok(first)
}

fn add(all: &mut Vec<Candidate>, seeker: &Seeker<'_>, look: &Look, frame: &still::Taken) -> Result<()> {
    let Some(begins) = frame.begins.filter(|b| all.iter().all(|c: &Candidate| c.begins != *b)) else { return Ok(()) };
    let luma = Luma::of(&small(seeker, look, frame)?);
    all.push(Candidate { begins, score: luma.score(), luma });
    Ok(())
}

fn small(seeker: &Seeker<'_>, look: &Look, frame: &still::Taken) -> Result<Pixels> {
    let rotation = seeker.work.facts.video.as_ref().map_or(0, |v| v.rotation);
    let (width, height) = seeker.work.facts.display_size().unwrap_or((WIDTH, WIDTH));
    let high = (u64::from(height) * u64::from(WIDTH) / u64::from(width.max(1))).clamp(16, 2048) as u32;
    still::pixels(frame, look.route, rotation, (WIDTH, high), [0; 3])
}

/// The brightness of a small picture.
struct Luma {
    width: usize,
    data: Vec<u8>,
    mean: f64,
    deviation: f64,
}

impl Luma {
    fn of(pixels: &Pixels) -> Self {
        let data: Vec<u8> = pixels
            .data
            .chunks_exact(3)
            .map(|p| ((u32::from(p[0]) * 54 + u32::from(p[1]) * 183 + u32::from(p[2]) * 19) >> 8) as u8)
            .collect();
        let count = data.len().max(1) as f64;
        let mean = data.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
        let deviation = (data.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / count).sqrt();
        Self { width: pixels.width as usize, data, mean, deviation }
    }

    /// How sharp it is: the variance of the Laplacian.
    fn sharpness(&self) -> f64 {
        let at = |i: usize| f64::from(self.data[i]);
        let rows = self.data.len() / self.width.max(1);
        let inner = (1..rows.saturating_sub(1))
            .flat_map(|y| (1..self.width.saturating_sub(1)).map(move |x| y * self.width + x));
        let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for i in inner {
            let edge = at(i - 1) + at(i + 1) + at(i - self.width) + at(i + self.width) - 4.0 * at(i);
            (count, sum, squares) = (count + 1.0, sum + edge, squares + edge * edge);
        }
        if count == 0.0 { 0.0 } else { squares / count - (sum / count).powi(2) }
    }

    /// More is better. What shows nothing (black, white, one color, most of it in the dark) is worse than all else.
    fn score(&self) -> f64 {
        let share =
            |is: fn(u8) -> bool| self.data.iter().filter(|v| is(**v)).count() as f64 / self.data.len().max(1) as f64;
        let shows_nothing = self.deviation < 8.0 || share(|v| v < 20) > 0.85 || share(|v| v > 240) > 0.85;
        let exposure = (1.0 - (self.mean - 118.0).abs() / 160.0).max(0.1);
        let contrast = (self.deviation / 50.0).clamp(0.05, 1.0);
        // Of noise there is no end: sharpness counts by its order.
        let score = (1.0 + self.sharpness()).ln() * exposure * contrast;
        if shows_nothing { score - 100.0 } else { score }
    }

    /// Whether the other picture is the same one, brighter or darker.
    fn fades_to(&self, later: &Luma) -> bool {
        if self.data.len() != later.data.len() || (self.mean - later.mean).abs() < 6.0 {
            return false;
        }
        let pairs = self.data.iter().zip(&later.data);
        let common = pairs.map(|(a, b)| (f64::from(*a) - self.mean) * (f64::from(*b) - later.mean)).sum::<f64>();
        let alike = common / self.data.len().max(1) as f64 / (self.deviation * later.deviation).max(1e-9);
        // To or from black or white, what is left has little contrast of its own.
        alike > 0.8 || later.deviation < 3.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luma(of: impl Fn(usize, usize) -> f64) -> Luma {
        let data = (0..90 * 160).flat_map(|i| [of(i % 160, i / 160).clamp(0.0, 255.0) as u8; 3]).collect();
        Luma::of(&Pixels { width: 160, height: 90, alpha: false, data })
    }

    fn scene(x: usize, y: usize) -> f64 {
        118.0 + 60.0 * ((x as f64 / 3.0).sin() * (y as f64 / 4.0).cos())
    }

    #[test]
    fn a_sharp_picture_with_contrast_is_best() {
        let sharp = luma(scene).score();
        let soft = luma(|x, y| 118.0 + 60.0 * ((x as f64 / 30.0).sin() * (y as f64 / 40.0).cos())).score();
        let dim = luma(|x, y| scene(x, y) / 3.0).score();
        let flat = luma(|_, _| 118.0).score();
        let black = luma(|x, _| if x == 5 { 200.0 } else { 4.0 }).score();
        assert!(sharp > soft && soft > dim && dim > flat && dim > black, "{sharp} {soft} {dim} {flat} {black}");
    }

    #[test]
    fn a_fade_is_told_from_a_cut_and_from_movement() {
        let full = luma(scene);
        assert!(luma(|x, y| scene(x, y) * 0.5).fades_to(&full));
        assert!(full.fades_to(&luma(|_, _| 0.0)));
        assert!(!full.fades_to(&luma(|x, y| scene(x + 2, y))));
        assert!(!full.fades_to(&luma(|x, y| 60.0 + 50.0 * ((y as f64 / 7.0).sin() + (x as f64 / 11.0).cos()))));
    }
}
