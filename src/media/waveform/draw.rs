//! The picture of a whole recording, whose length is known only at its end.

use super::{NOTHING, widen};
use crate::{media::image::Pixels, profile::WaveformPicture};

/// Columns that are kept: four to a pixel of the widest picture. When they are full, two become one.
const MOST: usize = 1 << 16;

/// The recording as so many columns, each of so many samples.
pub(super) struct Overview {
    channels: usize,
    /// Smallest and largest, the channels of a column side by side.
    columns: Vec<(i16, i16)>,
    current: Vec<(i16, i16)>,
    count: u64,
    each: u64,
}

impl Overview {
    pub(super) fn new(channels: usize) -> Self {
        Self { channels, columns: Vec::new(), current: vec![NOTHING; channels], count: 0, each: 1 }
    }

    pub(super) fn push(&mut self, frame: &[i16]) {
        widen(&mut self.current, frame);
        self.count += 1;
        if self.count == self.each {
            self.columns.extend(&self.current);
            self.current.fill(NOTHING);
            self.count = 0;
            if self.columns.len() == MOST * self.channels {
                self.halve();
            }
        }
    }

    fn halve(&mut self) {
        let (channels, half) = (self.channels, self.columns.len() / 2);
        for at in 0..half {
            let (column, channel) = (at / channels, at % channels);
            let (a, b) =
                (self.columns[2 * column * channels + channel], self.columns[(2 * column + 1) * channels + channel]);
            self.columns[at] = (a.0.min(b.0), a.1.max(b.1));
        }
        self.columns.truncate(half);
        self.each *= 2;
    }

    /// Draws the channels in bands from top to bottom, full scale from edge to edge of each; silence is a line.
    pub(super) fn draw(mut self, picture: &WaveformPicture) -> Pixels {
        if self.count > 0 {
            self.columns.extend(&self.current);
        }
        let (width, height) = (picture.width as usize, picture.height as usize);
        let is_opaque = picture.color.0[3] == 255 && picture.background.0[3] == 255;
        let size = if is_opaque { 3 } else { 4 };
        let mut data = picture.background.0[..size].repeat(width * height);
        let (columns, band) = (self.columns.len() / self.channels, height as f64 / self.channels as f64);
        for x in 0..width {
            let from = x * columns / width;
            let to = ((x + 1) * columns).div_ceil(width).clamp(from + 1, columns.max(1));
            for channel in 0..self.channels {
                let of = |column: usize| self.columns.get(column * self.channels + channel);
                let wide = (from..to).filter_map(of).fold(NOTHING, |(a, b), (c, d)| (a.min(*c), b.max(*d)));
                let (least, most) = if wide.0 > wide.1 { (0, 0) } else { wide };
                let row = |sample: i16| {
                    let y = (channel as f64 + 0.5 - f64::from(sample) / 65_536.0) * band;
                    (y as usize).min(height - 1)
                };
                for y in row(most)..=row(least) {
                    let at = (y * width + x) * size;
                    data[at..at + size].copy_from_slice(&picture.color.0[..size]);
                }
            }
        }
        Pixels { width: picture.width, height: picture.height, alpha: !is_opaque, data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(samples: &[i16], channels: usize, picture: &str) -> Pixels {
        let mut overview = Overview::new(channels);
        samples.chunks(channels).for_each(|frame| overview.push(frame));
        overview.draw(&serde_json::from_str(picture).unwrap())
    }

    /// First and last row of a column that has ink.
    fn ink(pixels: &Pixels, x: usize) -> (usize, usize) {
        let size = if pixels.alpha { 4 } else { 3 };
        let is_ink = |y: &usize| pixels.data[(y * pixels.width as usize + x) * size..][..3] == [255, 0, 0];
        let rows: Vec<usize> = (0..pixels.height as usize).filter(is_ink).collect();
        (rows[0], rows[rows.len() - 1])
    }

    #[test]
    fn a_loud_second_half_is_drawn_in_the_second_half() {
        let picture = r##"{"width": 100, "height": 64, "color": "#ff0000", "background": "none"}"##;
        // Long enough that columns are merged several times.
        let samples: Vec<i16> = (0..900_000).map(|i| if i < 450_000 { 0 } else { [16_384, -16_384][i % 2] }).collect();
        let pixels = drawn(&samples, 1, picture);
        assert!(pixels.alpha && pixels.data.len() == 100 * 64 * 4);
        assert_eq!(ink(&pixels, 10), (32, 32));
        assert_eq!(ink(&pixels, 90), (16, 48));
        assert_eq!((ink(&pixels, 48), ink(&pixels, 51)), ((32, 32), (16, 48)));
    }

    #[test]
    fn channels_have_bands_and_a_few_samples_fill_the_width() {
        let picture = r##"{"width": 30, "height": 100, "color": "#ff0000"}"##;
        let pixels = drawn(&[i16::MAX, 0, 0, i16::MIN], 2, picture);
        assert!(!pixels.alpha);
        assert_eq!(ink(&pixels, 0).0, 0);
        assert_eq!(ink(&pixels, 29).1, 99);
    }
}
