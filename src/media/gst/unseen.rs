//! Pictures on the way to a frame that nobody sees, and that no other is made from: a decoder is not given them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;

/// What is left out before a decoder.
#[derive(Clone, Default)]
pub(super) struct Unseen(Arc<Mutex<Left>>);

#[derive(Default)]
struct Left {
    /// Whatever is over by then may be left out.
    until: Option<gst::ClockTime>,
    /// When the last one begins that was.
    last: Option<gst::ClockTime>,
}

impl Unseen {
    /// From now on, what is over by this place of the demuxer's time; none: nothing.
    pub(super) fn leave_out(&self, until: Option<gst::ClockTime>) {
        *self.left() = Left { until, last: None };
    }

    /// Where the last one begins that was left out since. It was on screen after all where what is found begins before it.
    pub(super) fn last(&self) -> Option<gst::ClockTime> {
        self.left().last
    }

    /// Watches over what a decoder is given.
    pub(super) fn watch(&self, decoder: &gst::Element) {
        let Some(pad) = decoder.static_pad("sink") else { return };
        let left = self.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| match info.buffer() {
            Some(buffer) if left.is_left_out(pad, buffer) => gst::PadProbeReturn::Handled,
            _ => gst::PadProbeReturn::Ok,
        });
    }

    fn is_left_out(&self, pad: &gst::Pad, buffer: &gst::BufferRef) -> bool {
        let mut left = self.left();
        let (Some(until), Some(length)) = (left.until, buffer.duration()) else { return false };
        let Some(begins) = begins(pad, buffer) else { return false };
        // Lengths are those of the order of decoding, or rounded: the last one is not to be missed.
        let is_unseen = begins + length * 2 <= until && is_of_no_use(pad, buffer);
        if is_unseen {
            left.last = left.last.max(Some(begins));
        }
        is_unseen
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn begins(pad: &gst::Pad, buffer: &gst::BufferRef) -> Option<gst::ClockTime> {
    let segment = pad.sticky_event::<gst::event::Segment>(0)?;
    segment.segment().downcast_ref::<gst::ClockTime>()?.to_stream_time(buffer.pts()?)
}

/// Whether no other picture is made from a coded one, which H.264 alone tells beyond doubt.
fn is_of_no_use(pad: &gst::Pad, buffer: &gst::BufferRef) -> bool {
    let Some(caps) = pad.current_caps() else { return false };
    let Some(coded) = caps.structure(0).filter(|s| s.name() == "video/x-h264") else { return false };
    let Ok(data) = buffer.map_readable() else { return false };
    match coded.get::<&str>("stream-format") {
        Ok("byte-stream") => is_disposable(started(&data)),
        Ok("avc" | "avc3") => {
            let described = coded.get::<gst::Buffer>("codec_data").ok();
            let described = described.as_ref().and_then(|d| d.map_readable().ok());
            // ISO/IEC 14496-15: lengthSizeMinusOne, its last two bits.
            let bytes = described.and_then(|d| d.get(4).map(|b| usize::from(b & 3) + 1));
            bytes.is_some_and(|bytes| is_disposable(measured(&data, bytes)))
        }
        _ => false,
    }
}

/// Of H.264's units (their first bytes; none for one that is cut short): whether they are slices that nothing refers to, and
/// nothing that others need.
fn is_disposable(units: impl Iterator<Item = Option<u8>>) -> bool {
    let mut has_slices = false;
    for unit in units {
        match unit.map(|header| (header & 0x1f, header >> 5 & 3)) {
            Some((1..=4, 0)) => has_slices = true,
            // Delimiters, remarks, filling.
            Some((6 | 9 | 12, _)) => {}
            _ => return false,
        }
    }
    has_slices
}

/// The units of a stream in which each follows its length.
fn measured(mut data: &[u8], bytes: usize) -> impl Iterator<Item = Option<u8>> {
    std::iter::from_fn(move || {
        if data.is_empty() {
            return None;
        }
        let unit = data.split_at_checked(bytes).and_then(|(length, rest)| {
            let length = length.iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
            rest.split_at_checked(length)
        });
        data = unit.map_or(&[], |(_, rest)| rest);
        Some(unit.and_then(|(unit, _)| unit.first().copied()))
    })
}

/// The units of a stream in which each follows 0 0 1.
fn started(data: &[u8]) -> impl Iterator<Item = Option<u8>> {
    data.windows(3).enumerate().filter(|(_, mark)| *mark == [0, 0, 1]).map(|(at, _)| data.get(at + 3).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slice that nothing refers to, one that others need, a parameter set, a remark.
    const B: &[u8] = &[0x01, 0x9a, 0x22];
    const P: &[u8] = &[0x41, 0x9a];
    const SET: &[u8] = &[0x67, 0x64];
    const REMARK: &[u8] = &[0x06, 0x05, 0x00];

    #[test]
    fn what_others_are_made_from_is_not_left_out() {
        let cases: [(&[&[u8]], bool); 7] = [
            (&[B], true),
            (&[REMARK, B, B], true),
            (&[P], false),
            (&[B, P], false),
            (&[SET, B], false),
            (&[REMARK], false),
            (&[], false),
        ];
        for (units, is) in cases {
            let measured_units: Vec<u8> = units
                .iter()
                .flat_map(|u| (u.len() as u32).to_be_bytes().into_iter().chain(u.iter().copied()))
                .collect();
            assert_eq!(is_disposable(measured(&measured_units, 4)), is, "{units:?}");
            let started_units: Vec<u8> =
                units.iter().flat_map(|u| [0, 0, 0, 1].into_iter().chain(u.iter().copied())).collect();
            assert_eq!(is_disposable(started(&started_units)), is, "{units:?}");
        }
    }

    #[test]
    fn what_is_cut_short_is_given_to_the_decoder() {
        for broken in [&[0, 0, 0, 9, 1, 2][..], &[0, 0][..], &[0, 0, 0, 0][..], &[255, 255, 255, 255, 1][..]] {
            assert!(!is_disposable(measured(broken, 4)), "{broken:?}");
        }
        assert!(!is_disposable(started(&[0, 0, 1])));
    }
}
