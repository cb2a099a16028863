//! What the decoded colors are, and the way from them to BT.709 of limited range. GStreamer 1.22 loses the full-range
//! flag of H.264, converts no range between Y'CbCr of the same matrix, and is up to five steps off between others; so the
//! range is taken from what was probed, and [`Recode`] does the arithmetic.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;
use gstreamer_video::{
    VideoColorMatrix, VideoColorPrimaries, VideoColorRange, VideoColorimetry, VideoFrameExt, VideoTransferFunction,
};
use rayon::prelude::*;

use super::hdr::Transfer;
use crate::{
    error::{Error, Result},
    model::{Range, VideoFacts},
};

/// How frames get to BT.709.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The converter does it.
    Plain,
    /// Through [`Recode`].
    Recode {
        /// What the frames are coded with.
        matrix: VideoColorMatrix,
        /// Whether codes go from 0 to 255.
        full_range: bool,
    },
    /// Through the tone map.
    Tone {
        /// What to undo.
        transfer: Transfer,
        /// Whether codes go from 0 to 1023.
        full_range: bool,
    },
}

/// What is known of a decoder's frames.
pub(super) struct Look {
    /// To be set on the frames, as the decoder's word is not to be trusted; none for RGB.
    pub(super) colorimetry: Option<VideoColorimetry>,
    pub(super) route: Route,
    pub(super) alpha: bool,
    pub(super) format: gst_video::VideoFormat,
}

impl Look {
    /// Of frames with these caps, in the light of what was probed.
    pub(super) fn of(caps: &gst::CapsRef, facts: Option<&VideoFacts>) -> Result<Self> {
        let info = gst_video::VideoInfo::from_caps(caps)
            .map_err(|_| Error::unsupported(format!("its decoder gives frames that cannot be handled: {caps}")))?;
        let (alpha, format) = (info.format_info().has_alpha(), info.format());
        if info.is_rgb() {
            return Ok(Self { colorimetry: None, route: Route::Plain, alpha, format });
        }
        let said = info.colorimetry();
        let full = match facts.map_or(Range::Unknown, |f| f.range) {
            Range::Full => true,
            Range::Limited => false,
            Range::Unknown => said.range() == VideoColorRange::Range0_255,
        };
        let range = if full { VideoColorRange::Range0_255 } else { VideoColorRange::Range16_235 };
        let matrix = match facts.and_then(|f| f.matrix.as_deref()) {
            Some("bt709") => VideoColorMatrix::Bt709,
            Some("bt470bg" | "smpte170m") => VideoColorMatrix::Bt601,
            Some("bt2020nc" | "bt2020c") => VideoColorMatrix::Bt2020,
            Some("smpte240m") => VideoColorMatrix::Smpte240m,
            Some("fcc") => VideoColorMatrix::Fcc,
            _ => match said.matrix() {
                VideoColorMatrix::Unknown | VideoColorMatrix::Rgb if info.height() <= 576 => VideoColorMatrix::Bt601,
                VideoColorMatrix::Unknown | VideoColorMatrix::Rgb => VideoColorMatrix::Bt709,
                known => known,
            },
        };
        let transfer = match facts.and_then(|f| f.transfer.as_deref()) {
            Some("smpte2084") => Some(Transfer::Pq),
            Some("arib-std-b67") => Some(Transfer::Hlg),
            _ => None,
        };
        let (colorimetry, route) = match transfer {
            Some(transfer) => (
                VideoColorimetry::new(
                    range,
                    VideoColorMatrix::Bt2020,
                    if transfer == Transfer::Pq {
                        VideoTransferFunction::Smpte2084
                    } else {
                        VideoTransferFunction::AribStdB67
                    },
                    VideoColorPrimaries::Bt2020,
                ),
                Route::Tone { transfer, full_range: full },
            ),
            None => (
                coded(matrix, full),
                if full || matrix != VideoColorMatrix::Bt709 {
                    Route::Recode { matrix, full_range: full }
                } else {
                    Route::Plain
                },
            ),
        };
        Ok(Self { colorimetry: Some(colorimetry), route, alpha, format })
    }
}

/// Frames of this matrix and range, their colors otherwise as BT.709's.
pub(super) fn coded(matrix: VideoColorMatrix, full_range: bool) -> VideoColorimetry {
    let range = if full_range { VideoColorRange::Range0_255 } else { VideoColorRange::Range16_235 };
    VideoColorimetry::new(range, matrix, VideoTransferFunction::Bt709, VideoColorPrimaries::Bt709)
}

/// BT.709 of limited range.
pub(super) fn bt709() -> VideoColorimetry {
    VideoColorimetry::new(
        VideoColorRange::Range16_235,
        VideoColorMatrix::Bt709,
        VideoTransferFunction::Bt709,
        VideoColorPrimaries::Bt709,
    )
}

/// From Y'CbCr of 8 bits of any matrix and range to BT.709 of limited range, in place. Grays need their luma moved alone
/// and chroma does not depend on luma, so that one offset serves the four pixels of a chroma sample.
pub(super) struct Recode {
    /// By code, in 65536ths.
    luma: [i32; 256],
    /// What Cb and Cr each add to luma, to Cb and to Cr, in 65536ths.
    chroma: [[i32; 2]; 3],
}

impl Recode {
    pub(super) fn new(matrix: VideoColorMatrix, full_range: bool) -> Self {
        // ITU-R BT.601, BT.2020, SMPTE 240M, FCC 73.682 and BT.709: the weights of red and blue.
        let (red, blue) = match matrix {
            VideoColorMatrix::Bt601 => (0.299, 0.114),
            VideoColorMatrix::Bt2020 => (0.2627, 0.0593),
            VideoColorMatrix::Smpte240m => (0.212, 0.087),
            VideoColorMatrix::Fcc => (0.30, 0.11),
            _ => (0.2126, 0.0722),
        };
        let green = 1.0 - red - blue;
        let (black, luma_span, chroma_span) = if full_range { (0.0, 255.0, 255.0) } else { (16.0, 219.0, 224.0) };
        // What one unit of Cb puts into blue less luma, and one of Cr into red less luma.
        let (cb, cr) = (2.0 - 2.0 * blue, 2.0 - 2.0 * red);
        let y = [0.0722 * cb - 0.7152 * blue * cb / green, 0.2126 * cr - 0.7152 * red * cr / green];
        let u = [(cb - y[0]) / 1.8556, -y[1] / 1.8556];
        let v = [-y[0] / 1.5748, (cr - y[1]) / 1.5748];
        let fixed = |x: f64| (x * 65_536.0).round() as i32;
        let scaled = |row: [f64; 2], span: f64| row.map(|x| fixed(x * span / chroma_span));
        Self {
            luma: std::array::from_fn(|code| fixed(16.0 + 219.0 * (code as f64 - black) / luma_span)),
            chroma: [scaled(y, 219.0), scaled(u, 224.0), scaled(v, 224.0)],
        }
    }

    /// Recodes an `I420` frame of even width and height.
    pub(super) fn apply(&self, frame: &mut gst_video::VideoFrameRef<&mut gst::BufferRef>) -> Result<()> {
        if frame.format() != gst_video::VideoFormat::I420 {
            return Err(Error::internal("colors were to be recoded in a frame that is not I420"));
        }
        let strides = [0, 1, 2].map(|plane| frame.plane_stride()[plane] as usize);
        let [luma, u, v, _] = frame.planes_data_mut();
        let rows =
            luma.par_chunks_mut(2 * strides[0]).zip(u.par_chunks_mut(strides[1])).zip(v.par_chunks_mut(strides[2]));
        rows.for_each(|((luma, u), v)| {
            let (upper, lower) = luma.split_at_mut(strides[0].min(luma.len()));
            let pairs = upper.as_chunks_mut::<2>().0.iter_mut().zip(lower.as_chunks_mut::<2>().0);
            for (((upper, lower), u), v) in pairs.zip(u).zip(v) {
                let (cb, cr) = (i32::from(*u) - 128, i32::from(*v) - 128);
                let [y, cb, cr] = self.chroma.map(|[of_cb, of_cr]| of_cb * cb + of_cr * cr + 32_768);
                for code in upper.iter_mut().chain(lower) {
                    *code = ((self.luma[usize::from(*code)] + y) >> 16).clamp(0, 255) as u8;
                }
                *u = ((cb >> 16) + 128).clamp(0, 255) as u8;
                *v = ((cr >> 16) + 128).clamp(0, 255) as u8;
            }
        });
        Ok(())
    }
}

/// Puts RGBA frames that pass this pad before black. H.264 has no alpha, and what hides under it must not show.
pub(super) fn before_black(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::BUFFER, |_, info| {
        let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
        match buffer.make_mut().map_writable() {
            Ok(mut map) => {
                blacken(map.as_mut_slice());
                gst::PadProbeReturn::Ok
            }
            // A frame whose hidden parts would show is worse than one frame less.
            Err(_) => gst::PadProbeReturn::Drop,
        }
    });
}

/// Multiplies each pixel by its alpha, which becomes 255.
pub(super) fn blacken(rgba: &mut [u8]) {
    rgba.par_chunks_mut(4 * 4096).for_each(|run| {
        for pixel in run.chunks_exact_mut(4).filter(|p| p[3] != 255) {
            let alpha = u16::from(pixel[3]);
            for color in &mut pixel[..3] {
                *color = ((u16::from(*color) * alpha + 127) / 255) as u8;
            }
            pixel[3] = 255;
        }
    });
}
