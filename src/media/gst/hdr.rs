//! Tone mapping of BT.2100 pictures (PQ and HLG) to BT.709, which GStreamer 1.22 has not: a table over 10-bit Y'CbCr,
//! applied in place to frames that already have the output's size.
//!
//! Formulas: SMPTE ST 2084 (PQ), ITU-R BT.2100-2 (HLG with its system gamma of 1.2 at 1000 cd/m²), BT.2087 (primaries),
//! BT.709 (transfer), and John Hable's filmic curve on the largest component, which keeps the hue.

use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use crate::{
    error::{Error, Result},
    media::table::Table,
};

/// Which of BT.2100's transfer functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transfer {
    /// `smpte2084`
    Pq,
    /// `arib-std-b67`
    Hlg,
}

/// Brightest light that is mapped to white, in units of 100 cd/m²; most HDR10 is mastered at 1000 cd/m².
const PEAK: f64 = 10.0;

/// From 10-bit BT.2020 Y'CbCr in a BT.2100 transfer to 10-bit BT.709 Y'CbCr of limited range.
pub(super) struct ToneMap(Table);

impl ToneMap {
    pub(super) fn new(transfer: Transfer, full_range: bool) -> Self {
        let (black, y_span, c_span) = if full_range { (0.0, 1023.0, 1023.0) } else { (64.0, 876.0, 896.0) };
        Self(Table::new(|[y, u, v]| mapped(transfer, (y - black) / y_span, (u - 512.0) / c_span, (v - 512.0) / c_span)))
    }

    /// Maps an `I420_10LE` frame in place.
    pub(super) fn apply(&self, frame: &mut gst_video::VideoFrameRef<&mut gstreamer::BufferRef>) -> Result<()> {
        if frame.format() != gst_video::VideoFormat::I42010le {
            return Err(Error::internal("the tone map was given a frame that is not I420_10LE"));
        }
        let width = frame.width() as usize;
        let strides = [0, 1, 2].map(|plane| frame.plane_stride()[plane] as usize);
        let [luma, u, v, _] = frame.planes_data_mut();
        self.0.map_10_bits(width, (luma, strides[0]), [(u, strides[1]), (v, strides[2])]);
        Ok(())
    }
}

/// One color, from normalized Y'CbCr to 10-bit codes.
fn mapped(transfer: Transfer, y: f64, u: f64, v: f64) -> [f64; 3] {
    let (r, b) = (y + 1.4746 * v, y + 1.8814 * u);
    let g = (y - 0.2627 * r - 0.0593 * b) / 0.678;
    let signal = [r, g, b].map(|x| x.clamp(0.0, 1.0));
    // Light in units of 100 cd/m².
    let light = match transfer {
        Transfer::Pq => signal.map(|e| pq(e) / 100.0),
        Transfer::Hlg => {
            let scene = signal.map(hlg);
            let luminance = 0.2627 * scene[0] + 0.678 * scene[1] + 0.0593 * scene[2];
            scene.map(|x| x * luminance.max(1e-9).powf(0.2) * PEAK)
        }
    };
    let [r, g, b] = light;
    let narrow = [
        1.6605 * r - 0.5876 * g - 0.0728 * b,
        -0.1246 * r + 1.1329 * g - 0.0083 * b,
        -0.0182 * r - 0.1006 * g + 1.1187 * b,
    ]
    .map(|x| x.max(0.0));
    let most = narrow.into_iter().fold(1e-6, f64::max);
    let scale = hable(most * 2.0) / hable(PEAK * 2.0) / most;
    let [r, g, b] = narrow.map(|x| {
        let x = (x * scale).clamp(0.0, 1.0);
        if x < 0.018 { 4.5 * x } else { 1.099 * x.powf(0.45) - 0.099 }
    });
    let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    let (u, v) = ((b - y) / 1.8556, (r - y) / 1.5748);
    [y * 876.0 + 64.0, u * 896.0 + 512.0, v * 896.0 + 512.0]
}

/// The PQ signal's light in cd/m² (ST 2084, equation 4.1).
fn pq(signal: f64) -> f64 {
    let (m1, m2, c1, c2, c3) = (0.159_301_757_812_5, 78.843_75, 0.835_937_5, 18.851_562_5, 18.687_5);
    let p = signal.powf(1.0 / m2);
    ((p - c1).max(0.0) / (c2 - c3 * p)).powf(1.0 / m1) * 10_000.0
}

/// The HLG signal's scene light, 0 to 1 (BT.2100-2, table 5).
fn hlg(signal: f64) -> f64 {
    let a = 0.178_832_77_f64;
    let (b, c) = (1.0 - 4.0 * a, 0.5 - a * (4.0 * a).ln());
    if signal <= 0.5 { signal * signal / 3.0 } else { (((signal - c) / a).exp() + b) / 12.0 }
}

fn hable(x: f64) -> f64 {
    let (a, b, c, d, e, f) = (0.15, 0.50, 0.10, 0.20, 0.02, 0.30);
    ((x * (a * x + c * b) + d * e) / (x * (a * x + b) + d * f)) - e / f
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn black_stays_black_reference_white_is_bright_and_grays_stay_gray() {
        for transfer in [Transfer::Pq, Transfer::Hlg] {
            let black = mapped(transfer, 0.0, 0.0, 0.0);
            assert!((black[0] - 64.0).abs() < 4.0, "{transfer:?} {black:?}");
            // BT.2408: diffuse white is 58 % of PQ and 75 % of HLG.
            let white = mapped(transfer, if transfer == Transfer::Pq { 0.58 } else { 0.75 }, 0.0, 0.0);
            assert!((600.0..900.0).contains(&white[0]), "{transfer:?} {white:?}");
            assert!((white[1] - 512.0).abs() < 3.0 && (white[2] - 512.0).abs() < 3.0, "{transfer:?} {white:?}");
        }
    }
}
