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

use super::{
    graph,
    hdr::Transfer,
    video::{in_place, relabel},
};
use crate::{
    error::{Error, Result},
    model::{Range, VideoFacts},
};

/// How frames get to BT.709.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The converter does it.
    Plain,
    /// Through [`Recode`] or [`DeepRecode`].
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
    /// The colors of what keeps them: all that the file says, of limited range; none for RGB.
    stored: Option<VideoColorimetry>,
    pub(super) route: Route,
    pub(super) alpha: bool,
    pub(super) format: gst_video::VideoFormat,
}

impl Look {
    /// Of RGB without alpha.
    pub(super) fn opaque_rgb() -> Self {
        Self { colorimetry: None, stored: None, route: Route::Plain, alpha: false, format: gst_video::VideoFormat::Rgb }
    }

    /// Of frames with these caps, in the light of what was probed.
    pub(super) fn of(caps: &gst::CapsRef, facts: Option<&VideoFacts>) -> Result<Self> {
        let info = gst_video::VideoInfo::from_caps(caps)
            .map_err(|_| Error::unsupported(format!("its decoder gives frames that cannot be handled: {caps}")))?;
        let (alpha, format) = (info.format_info().has_alpha(), info.format());
        if info.is_rgb() {
            return Ok(Self { colorimetry: None, stored: None, route: Route::Plain, alpha, format });
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
        let usual = match matrix {
            VideoColorMatrix::Bt601 if matches!(info.height(), 288 | 576) => VideoColorPrimaries::Bt470bg,
            VideoColorMatrix::Bt601 => VideoColorPrimaries::Smpte170m,
            VideoColorMatrix::Bt2020 => VideoColorPrimaries::Bt2020,
            _ => VideoColorPrimaries::Bt709,
        };
        let stored = VideoColorimetry::new(
            VideoColorRange::Range16_235,
            colorimetry.matrix(),
            facts.and_then(|f| transfer_named(f.transfer.as_deref()?)).unwrap_or(colorimetry.transfer()),
            facts.and_then(|f| primaries(f.primaries.as_deref()?)).unwrap_or(usual),
        );
        Ok(Self { colorimetry: Some(colorimetry), stored: Some(stored), route, alpha, format })
    }
}

impl Look {
    /// The colors as they are, of limited range.
    pub(super) fn as_they_are(&self) -> VideoColorimetry {
        self.stored.unwrap_or_else(bt709)
    }

    /// What has frames of 10 bits, which pass this element, say these colors, which are theirs but for the range.
    pub(super) fn limited(
        &self,
        frames: &gst::Element,
        full_range: bool,
        colors: &VideoColorimetry,
    ) -> Result<Vec<gst::Element>> {
        if full_range {
            let recode = DeepRecode::new(colors.matrix(), colors.matrix(), true);
            in_place(&graph::pad(frames, "src")?, move |frame| recode.apply(frame));
        }
        Ok(vec![relabel(colors)?])
    }
}

/// Primaries as ffprobe names them.
fn primaries(name: &str) -> Option<VideoColorPrimaries> {
    Some(match name {
        "bt709" => VideoColorPrimaries::Bt709,
        "bt470m" => VideoColorPrimaries::Bt470m,
        "bt470bg" => VideoColorPrimaries::Bt470bg,
        "smpte170m" => VideoColorPrimaries::Smpte170m,
        "smpte240m" => VideoColorPrimaries::Smpte240m,
        "film" => VideoColorPrimaries::Film,
        "bt2020" => VideoColorPrimaries::Bt2020,
        "smpte428" => VideoColorPrimaries::Smptest428,
        "smpte431" => VideoColorPrimaries::Smpterp431,
        "smpte432" => VideoColorPrimaries::Smpteeg432,
        _ => return None,
    })
}

/// Transfer functions as ffprobe names them.
fn transfer_named(name: &str) -> Option<VideoTransferFunction> {
    Some(match name {
        "bt709" => VideoTransferFunction::Bt709,
        "smpte170m" => VideoTransferFunction::Bt601,
        "bt470m" => VideoTransferFunction::Gamma22,
        "bt470bg" => VideoTransferFunction::Gamma28,
        "smpte240m" => VideoTransferFunction::Smpte240m,
        "iec61966-2-1" => VideoTransferFunction::Srgb,
        "bt2020-10" => VideoTransferFunction::Bt202010,
        "bt2020-12" => VideoTransferFunction::Bt202012,
        "smpte2084" => VideoTransferFunction::Smpte2084,
        "arib-std-b67" => VideoTransferFunction::AribStdB67,
        "linear" => VideoTransferFunction::Gamma10,
        _ => return None,
    })
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

/// ITU-R BT.601, BT.2020, SMPTE 240M, FCC 73.682 and BT.709: the weights of red and blue.
fn weights(matrix: VideoColorMatrix) -> (f64, f64) {
    match matrix {
        VideoColorMatrix::Bt601 => (0.299, 0.114),
        VideoColorMatrix::Bt2020 => (0.2627, 0.0593),
        VideoColorMatrix::Smpte240m => (0.212, 0.087),
        VideoColorMatrix::Fcc => (0.30, 0.11),
        _ => (0.2126, 0.0722),
    }
}

/// Of signals from 0 to 1 (chroma −0.5 to 0.5): what Cb and Cr of one matrix each add to luma, to Cb and to Cr of another.
fn between(from: VideoColorMatrix, to: VideoColorMatrix) -> [[f64; 2]; 3] {
    let ((red, blue), (to_red, to_blue)) = (weights(from), weights(to));
    let (green, to_green) = (1.0 - red - blue, 1.0 - to_red - to_blue);
    // What one unit of Cb puts into blue less luma, and one of Cr into red less luma.
    let (cb, cr) = (2.0 - 2.0 * blue, 2.0 - 2.0 * red);
    let y = [to_blue * cb - to_green * blue * cb / green, to_red * cr - to_green * red * cr / green];
    let (u, v) = (2.0 - 2.0 * to_blue, 2.0 - 2.0 * to_red);
    [y, [(cb - y[0]) / u, -y[1] / u], [-y[0] / v, (cr - y[1]) / v]]
}

impl Recode {
    pub(super) fn new(matrix: VideoColorMatrix, full_range: bool) -> Self {
        let (black, luma_span, chroma_span) = if full_range { (0.0, 255.0, 255.0) } else { (16.0, 219.0, 224.0) };
        let [y, u, v] = between(matrix, VideoColorMatrix::Bt709);
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

/// [`Recode`] for frames of 10 bits and any subsampling, to limited range of any matrix.
pub(super) struct DeepRecode {
    luma: Vec<i32>,
    chroma: [[i32; 2]; 3],
}

impl DeepRecode {
    pub(super) fn new(from: VideoColorMatrix, to: VideoColorMatrix, full_range: bool) -> Self {
        let (black, luma_span, chroma_span) = if full_range { (0.0, 1023.0, 1023.0) } else { (64.0, 876.0, 896.0) };
        let fixed = |x: f64| (x * 65_536.0).round() as i32;
        let [y, u, v] = between(from, to);
        let scaled = |row: [f64; 2], span: f64| row.map(|x| fixed(x * span / chroma_span));
        Self {
            luma: (0..1024).map(|code| fixed(64.0 + 876.0 * (f64::from(code) - black) / luma_span)).collect(),
            chroma: [scaled(y, 876.0), scaled(u, 896.0), scaled(v, 896.0)],
        }
    }

    /// Recodes a planar frame of 10 bits.
    pub(super) fn apply(&self, frame: &mut gst_video::VideoFrameRef<&mut gst::BufferRef>) -> Result<()> {
        use gst_video::VideoFormat as F;
        let (across, down) = match frame.format() {
            F::I42010le => (1, 1),
            F::I42210le => (1, 0),
            F::Y44410le | F::A44410le => (0, 0),
            other => return Err(Error::internal(format!("colors were to be recoded in a frame of {other}"))),
        };
        let width = frame.width() as usize;
        let strides = [0, 1, 2].map(|plane| frame.plane_stride()[plane] as usize);
        let [luma, u, v, _] = frame.planes_data_mut();
        let rows =
            luma.par_chunks_mut(strides[0] << down).zip(u.par_chunks_mut(strides[1])).zip(v.par_chunks_mut(strides[2]));
        rows.for_each(|((luma, u), v)| {
            let (u, v) = (u.as_chunks_mut::<2>().0, v.as_chunks_mut::<2>().0);
            for row in luma.chunks_mut(strides[0]) {
                for (x, code) in row.as_chunks_mut::<2>().0.iter_mut().take(width).enumerate() {
                    let Some((cb, cr)) = u.get(x >> across).zip(v.get(x >> across)) else { break };
                    let [y, ..] = self.moved(deep(cb) - 512, deep(cr) - 512);
                    let known = self.luma[deep(code) as usize];
                    *code = (((known + y) >> 16).clamp(0, 1023) as u16).to_le_bytes();
                }
            }
            for (cb, cr) in u.iter_mut().zip(v) {
                let [_, new_cb, new_cr] = self.moved(deep(cb) - 512, deep(cr) - 512);
                *cb = (((new_cb >> 16) + 512).clamp(0, 1023) as u16).to_le_bytes();
                *cr = (((new_cr >> 16) + 512).clamp(0, 1023) as u16).to_le_bytes();
            }
        });
        Ok(())
    }

    fn moved(&self, cb: i32, cr: i32) -> [i32; 3] {
        self.chroma.map(|[of_cb, of_cr]| of_cb * cb + of_cr * cr + 32_768)
    }
}

fn deep(code: &[u8; 2]) -> i32 {
    i32::from(u16::from_le_bytes(*code).min(1023))
}

/// Puts RGBA frames that pass this pad before a color. H.264 has no alpha, and what hides under it must not show.
pub(super) fn before(pad: &gst::Pad, background: [u8; 3]) {
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
        match buffer.make_mut().map_writable() {
            Ok(mut map) => {
                lay_on(map.as_mut_slice(), background);
                gst::PadProbeReturn::Ok
            }
            // A frame whose hidden parts would show is worse than one frame less.
            Err(_) => gst::PadProbeReturn::Handled,
        }
    });
}

/// Mixes each pixel with the background by its alpha, which becomes 255.
pub(super) fn lay_on(rgba: &mut [u8], background: [u8; 3]) {
    rgba.par_chunks_mut(4 * 4096).for_each(|run| {
        for pixel in run.chunks_exact_mut(4).filter(|p| p[3] != 255) {
            let alpha = u16::from(pixel[3]);
            for (color, behind) in pixel[..3].iter_mut().zip(background) {
                *color = ((u16::from(*color) * alpha + u16::from(behind) * (255 - alpha) + 127) / 255) as u8;
            }
            pixel[3] = 255;
        }
    });
}
