//! The master's timecode on its way into a QuickTime file: said of the first frame, from which the muxer makes a track of
//! timecode (SMPTE ST 12-1).

use std::sync::atomic::{AtomicBool, Ordering};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;

use crate::model::MediaFacts;

/// The timecode of the first frame at this rate; none when the master has none, or one that makes no sense.
pub(super) fn first(facts: &MediaFacts, (n, d): (u32, u32)) -> Option<gst_video::VideoTimeCode> {
    let master = facts.timecode.as_ref()?;
    let mut parts = master.value.split([':', ';', '.']).map(|part| part.trim().parse::<u32>().ok());
    let mut next = || parts.next().flatten();
    let (hours, minutes, seconds, frames) = (next()?, next()?, next()?, next()?);
    let nominal = |n: u32, d: u32| (n.saturating_add(d / 2)).checked_div(d).unwrap_or(0);
    let (was, is) = (facts.video.as_ref().map_or(0, |v| nominal(v.rate.0, v.rate.1)), nominal(n, d));
    if !(1..=240).contains(&is) || [hours, minutes, seconds, frames].iter().any(|part| *part > 240) {
        return None;
    }
    // Of another rate, the same share of the second.
    let frames = (frames * is).checked_div(was).unwrap_or(frames);
    let drops = master.drop_frame && d == 1001 && matches!(is, 30 | 60);
    let flags = if drops { gst_video::VideoTimeCodeFlags::DROP_FRAME } else { gst_video::VideoTimeCodeFlags::empty() };
    let rate = gst::Fraction::new(i32::try_from(n).ok()?, i32::try_from(d).ok()?);
    let made = gst_video::VideoTimeCode::new(rate, None, flags, hours, minutes, seconds, frames, 0);
    made.is_valid().then_some(made)
}

/// Says it of the first frame that passes.
pub(super) fn say(pad: &gst::Pad, timecode: gst_video::VideoTimeCode) {
    let said = AtomicBool::new(false);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let (Some(buffer), false) = (info.buffer_mut(), said.swap(true, Ordering::Relaxed))
            && let Ok(valid) = timecode.clone().try_into()
        {
            gst_video::VideoTimeCodeMeta::add(buffer.make_mut(), &valid);
        }
        gst::PadProbeReturn::Ok
    });
}
