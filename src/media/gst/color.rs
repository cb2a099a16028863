//! What the decoded colors are, and the way from them to BT.709 of limited range. GStreamer 1.22 loses the full-range
//! flag of H.264, and converts no range between Y'CbCr of the same matrix; so the range is taken from what was probed,
//! and full range takes a detour through RGB.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;
use gstreamer_video::{
    VideoColorMatrix, VideoColorPrimaries, VideoColorRange, VideoColorimetry, VideoTransferFunction,
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
    /// Through RGB.
    Rgb,
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
                VideoColorimetry::new(range, matrix, VideoTransferFunction::Bt709, VideoColorPrimaries::Bt709),
                if full { Route::Rgb } else { Route::Plain },
            ),
        };
        Ok(Self { colorimetry: Some(colorimetry), route, alpha, format })
    }
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
