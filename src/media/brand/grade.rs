//! Colors: luma by a table of its own, chroma by a turn and a stretch, and a `.cube` by a table over all three.

use rayon::prelude::*;

use super::{Planes, cube::Cube};
use crate::{error::Result, media::table::Table, profile::Grade};

/// What is done to each frame.
pub(super) enum Graded {
    /// Luma and chroma apart.
    Apart {
        luma: Box<[u8; 256]>,
        /// What Cb and Cr each become, of Cb and of Cr, in 4096ths.
        turn: [i32; 2],
    },
    /// All that, and a table of colors.
    Together(Table),
}

impl Graded {
    pub(super) fn new(grade: &Grade) -> Result<Self> {
        let luma = |code: f64| 16.0 + (code - 16.0) * grade.contrast + grade.brightness * 219.0;
        let (sin, cos) = grade.hue.to_radians().sin_cos();
        let (sin, cos) = (sin * grade.saturation, cos * grade.saturation);
        let Some(lut) = &grade.lut else {
            let luma = std::array::from_fn(|code| luma(code as f64).round().clamp(0.0, 255.0) as u8);
            return Ok(Graded::Apart { luma: Box::new(luma), turn: [cos, sin].map(|x| (x * 4096.0).round() as i32) });
        };
        let cube = Cube::load(&lut.path)?;
        Ok(Graded::Together(Table::new(|[y, cb, cr]| {
            // From codes of 10 bits to Y' of 0 to 1, and Cb and Cr around 0.
            let y = (luma(y / 4.0) - 16.0) / 219.0;
            let (cb, cr) = ((cb - 512.0) / 896.0, (cr - 512.0) / 896.0);
            let (cb, cr) = (cb * cos - cr * sin, cb * sin + cr * cos);
            let (r, b) = (y + 1.5748 * cr, y + 1.8556 * cb);
            let g = (y - 0.2126 * r - 0.0722 * b) / 0.7152;
            let [r, g, b] = cube.look_up([r, g, b].map(|x| x as f32)).map(f64::from);
            let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
            let (cb, cr) = ((b - y) / 1.8556, (r - y) / 1.5748);
            [y * 876.0 + 64.0, cb * 896.0 + 512.0, cr * 896.0 + 512.0]
        })))
    }

    pub(super) fn apply(&self, frame: &mut Planes<'_>) {
        match self {
            Graded::Apart { luma, turn: [cos, sin] } => {
                frame
                    .luma
                    .par_chunks_mut(frame.luma_stride)
                    .for_each(|row| row.iter_mut().for_each(|y| *y = luma[usize::from(*y)]));
                let stride = frame.chroma_stride;
                let [cb, cr] = &mut frame.chroma;
                cb.par_chunks_mut(stride).zip(cr.par_chunks_mut(stride)).for_each(|(cb, cr)| {
                    for (cb, cr) in cb.iter_mut().zip(cr) {
                        let (u, v) = (i32::from(*cb) - 128, i32::from(*cr) - 128);
                        let code = |x: i32| (((x + 2048) >> 12) + 128).clamp(0, 255) as u8;
                        (*cb, *cr) = (code(u * cos - v * sin), code(u * sin + v * cos));
                    }
                });
            }
            Graded::Together(table) => {
                let [cb, cr] = &mut frame.chroma;
                table.map_8_bits(
                    frame.width,
                    (&mut *frame.luma, frame.luma_stride),
                    [(&mut **cb, frame.chroma_stride), (&mut **cr, frame.chroma_stride)],
                );
            }
        }
    }
}
