//! Looking at frames as they are decoded.

use std::sync::{Arc, Mutex, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use super::video::running_time;
use crate::media::glance::{Glance, Onlooker, POINTS, STEP_MS};

/// Who looks at a pad.
#[derive(Clone, Default)]
pub(super) struct Looking(Arc<Mutex<Watching>>);

#[derive(Default)]
struct Watching {
    onlooker: Onlooker,
    next_ms: u64,
    known: Option<gst_video::VideoInfo>,
    /// Of frames that cannot be looked into, nothing is told.
    is_blind: bool,
}

impl Looking {
    pub(super) fn watch(&self, pad: &gst::Pad) {
        let watching = self.0.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let mut watching = watching.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(buffer) = info.buffer().filter(|_| !watching.is_blind) {
                watching.pass(pad, buffer);
            }
            gst::PadProbeReturn::Ok
        });
    }

    /// Does not look before this time of the pipeline (ms).
    pub(super) fn begin_at(&self, ms: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next_ms = ms;
    }

    /// What was seen; none, where the frames could not be looked into.
    pub(super) fn seen(&self) -> Option<Glance> {
        let watching = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(watching.onlooker.seen).filter(|_| !watching.is_blind)
    }
}

impl Watching {
    fn pass(&mut self, pad: &gst::Pad, buffer: &gst::BufferRef) {
        let Some(time) = running_time(pad, buffer).map(|t| t.mseconds()).filter(|t| *t >= self.next_ms) else { return };
        self.next_ms = time / STEP_MS * STEP_MS + STEP_MS;
        if self.known.is_none() {
            self.known = pad.current_caps().and_then(|c| gst_video::VideoInfo::from_caps(&c).ok());
        }
        match self.known.as_ref().and_then(|known| points(buffer, known)) {
            Some(points) => self.onlooker.look(&points),
            None => self.is_blind = true,
        }
    }
}

/// The lumas of a few points as 8 bits of limited range.
fn points(buffer: &gst::BufferRef, info: &gst_video::VideoInfo) -> Option<Vec<u8>> {
    let format = info.format_info();
    if format.flags().contains(gst_video::VideoFormatFlags::COMPLEX) {
        return None;
    }
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info).ok()?;
    let components = if info.is_rgb() { 0..3 } else { 0..1 };
    // Of RGB, what each component weighs in it (BT.709).
    let weights: &[f32] = if info.is_rgb() { &[0.2126, 0.7152, 0.0722] } else { &[1.0] };
    let is_full = info.is_rgb() || info.colorimetry().range() == gst_video::VideoColorRange::Range0_255;
    let mut lumas = vec![0_f32; POINTS.0 * POINTS.1];
    for component in components {
        let (depth, shift) = (format.depth()[component as usize], format.shift()[component as usize]);
        let (stride, step) = (frame.comp_stride(component), frame.comp_pstride(component));
        let data = frame.comp_data(component).ok()?;
        let (stride, step) = (usize::try_from(stride).ok()?, usize::try_from(step).ok()?);
        for (i, luma) in lumas.iter_mut().enumerate() {
            let x = (2 * (i % POINTS.0) + 1) * info.width() as usize / (2 * POINTS.0);
            let y = (2 * (i / POINTS.0) + 1) * info.height() as usize / (2 * POINTS.1);
            let bytes = data.get(y * stride + x * step..)?;
            let value = match (depth, bytes) {
                (..=8, [one, ..]) => u32::from(*one) >> shift << (8 - depth.min(8)),
                (_, [a, b, ..]) => {
                    let pair = [*a, *b];
                    let is_little = format.flags().contains(gst_video::VideoFormatFlags::LE);
                    let word = if is_little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) };
                    u32::from(word) >> shift >> (depth - 8)
                }
                _ => return None,
            };
            *luma += weights[component as usize] * value.min(255) as f32;
        }
    }
    let limited = |luma: f32| if is_full { 16.0 + luma * 219.0 / 255.0 } else { luma };
    Some(lumas.into_iter().map(|luma| limited(luma).round() as u8).collect())
}
