//! Pictures on the way to a frame that nobody sees, and that no other is made from: a decoder is not given them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;
use h264_reader::{
    avcc::AvcDecoderConfigurationRecord,
    nal::{
        Nal, RefNal,
        sps::{FrameMbsFlags, SeqParameterSet},
    },
};

use super::still::Lookout;

/// What is left out before a decoder.
#[derive(Clone, Default)]
pub(super) struct Unseen(Arc<Mutex<Left>>);

#[derive(Default)]
struct Left {
    /// Whatever is over by then may be left out.
    until: Option<gst::ClockTime>,
    /// When the last one begins that was.
    last: Option<gst::ClockTime>,
    /// Who looks at what is decoded.
    lookout: Option<Lookout>,
    /// Whether there was a seek, and no picture since that decoding may begin with.
    is_headless: bool,
}

impl Unseen {
    /// From now on, what is over by this place of the demuxer's time; none: nothing.
    pub(super) fn leave_out(&self, until: Option<gst::ClockTime>) {
        let mut left = self.left();
        (left.until, left.last) = (until, None);
    }

    /// From now on, nothing is decoded while this one does not watch: then a seek comes, or the end.
    pub(super) fn serve(&self, lookout: &Lookout) {
        self.left().lookout = Some(lookout.clone());
    }

    /// Where the last one begins that was left out since. It was on screen after all where what is found begins before it.
    pub(super) fn last(&self) -> Option<gst::ClockTime> {
        self.left().last
    }

    /// Watches over what a decoder is given.
    pub(super) fn watch(&self, decoder: &gst::Element) {
        let Some(pad) = decoder.static_pad("sink") else { return };
        let left = self.clone();
        pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_FLUSH, move |pad, info| {
            if let Some(event) = info.event() {
                left.left().is_headless |= event.type_() == gst::EventType::FlushStop;
                return gst::PadProbeReturn::Ok;
            }
            if left.is_over() {
                // What is before it stops, as while a seek comes.
                info.flow_res = Err(gst::FlowError::Flushing);
                return gst::PadProbeReturn::Handled;
            }
            match info.buffer() {
                Some(buffer) if left.is_left_out(pad, buffer) => gst::PadProbeReturn::Handled,
                _ => gst::PadProbeReturn::Ok,
            }
        });
    }

    fn is_over(&self) -> bool {
        self.left().lookout.as_ref().is_some_and(|lookout| !lookout.is_watching())
    }

    fn is_left_out(&self, pad: &gst::Pad, buffer: &gst::BufferRef) -> bool {
        let mut left = self.left();
        if left.is_headless {
            match first_picture(pad, buffer) {
                // Pictures that all after them are made from (Rec. ITU-T H.265, 7.4.2.2).
                Some(16..=23) => left.is_headless = false,
                Some(_) => return true,
                None => {}
            }
        }
        let (Some(until), Some(length)) = (left.until, buffer.duration()) else { return false };
        let Some(begins) = begins(pad, buffer) else { return false };
        // Lengths are those of the order of decoding, or rounded: the last one is not to be missed.
        let is_unseen = begins.saturating_add(length.saturating_mul(2)) <= until && is_of_no_use(pad, buffer);
        if is_unseen {
            left.last = left.last.max(Some(begins));
        }
        is_unseen
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The type of the first of HEVC's units that is part of a picture; none of other codecs. In a transport stream a seek ends anywhere,
/// its parser takes what comes first for a keyframe, and the decoder makes something of it.
fn first_picture(pad: &gst::Pad, buffer: &gst::BufferRef) -> Option<u8> {
    let caps = pad.current_caps()?;
    let coded = caps.structure(0).filter(|coded| coded.name() == "video/x-h265")?;
    let described = coded.get::<gst::Buffer>("codec_data").ok()?.into_mapped_buffer_readable().ok()?;
    // How long lengths are is in there (ISO/IEC 14496-15, 8.3.3).
    let bytes = usize::from(described.get(21)? & 3) + 1;
    first_of_picture(measured(&buffer.map_readable().ok()?, bytes))
}

fn first_of_picture(units: impl Iterator<Item = Option<u8>>) -> Option<u8> {
    units.flatten().map(|header| header >> 1 & 0x3f).find(|kind| *kind < 32)
}

fn begins(pad: &gst::Pad, buffer: &gst::BufferRef) -> Option<gst::ClockTime> {
    let segment = pad.sticky_event::<gst::event::Segment>(0)?;
    segment.segment().downcast_ref::<gst::ClockTime>()?.to_stream_time(buffer.pts()?)
}

/// Whether no other picture is made from a coded one, which H.264 alone tells beyond doubt.
fn is_of_no_use(pad: &gst::Pad, buffer: &gst::BufferRef) -> bool {
    let Some(caps) = pad.current_caps() else { return false };
    let Some(coded) = caps.structure(0).filter(|s| s.name() == "video/x-h264") else { return false };
    // In other forms a buffer may be one field, and sets of parameters may come later.
    if coded.get::<&str>("stream-format") != Ok("avc") {
        return false;
    }
    let Ok(described) = coded.get::<gst::Buffer>("codec_data") else { return false };
    let (Ok(described), Ok(data)) = (described.map_readable(), buffer.map_readable()) else { return false };
    bytes_of_length(&described).is_some_and(|bytes| is_disposable(measured(&data, bytes)))
}

/// Of how many bytes the lengths before units are, of what is described (ISO/IEC 14496-15) as pictures that may be left out: all
/// are whole frames, and how far their order is from that of decoding is said. A decoder that has to find that out would take
/// one picture for another where some are missing.
fn bytes_of_length(described: &[u8]) -> Option<usize> {
    let record = AvcDecoderConfigurationRecord::try_from(described).ok()?;
    let is_plain = |unit: &[u8]| {
        let set = SeqParameterSet::from_bits(RefNal::new(unit, &[], true).rbsp_bits());
        set.is_ok_and(|set| {
            set.frame_mbs_flags == FrameMbsFlags::Frames
                && set.vui_parameters.is_some_and(|vui| vui.bitstream_restrictions.is_some())
        })
    };
    let are_plain = record.sequence_parameter_sets().all(|unit| unit.is_ok_and(is_plain));
    let are_any = record.num_of_sequence_parameter_sets() > 0;
    (are_any && are_plain).then(|| usize::from(record.length_size_minus_one()) + 1)
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
        }
    }

    #[test]
    fn the_first_unit_that_is_part_of_a_picture_is_found() {
        let cases: [(&[u8], Option<u8>); 4] = [
            (&[0, 2, 0x40, 1, 0, 3, 0x26, 1, 9], Some(19)),
            (&[0, 2, 0x46, 1, 0, 1, 0x50, 0, 2, 0x02, 1], Some(1)),
            (&[0, 2, 0x42, 1], None),
            (&[0, 9, 0x26], None),
        ];
        for (data, kind) in cases {
            assert_eq!(first_of_picture(measured(data, 2)), kind, "{data:?}");
        }
    }

    #[test]
    fn what_is_cut_short_is_given_to_the_decoder() {
        for broken in [&[0, 0, 0, 9, 1, 2][..], &[0, 0][..], &[0, 0, 0, 0][..], &[255, 255, 255, 255, 1][..]] {
            assert!(!is_disposable(measured(broken, 4)), "{broken:?}");
        }
    }
}
