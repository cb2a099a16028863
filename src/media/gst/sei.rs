//! Two repairs of H.265 as x265 3.5 writes it through GStreamer 1.22.

use gstreamer as gst;
use gstreamer::prelude::*;

/// Cuts off what follows x265's note of its settings in the packets that pass this pad. With HDR10 that is whatever was in
/// memory there, which strict decoders refuse together with the keyframe.
pub(super) fn cut_notes(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::BUFFER, |_, info| {
        let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
        let cut = buffer.map_readable().ok().and_then(|map| without_garbage(map.as_slice()));
        if let Some(bytes) = cut {
            let mut fresh = gst::Buffer::from_mut_slice(bytes);
            if let Some(writable) = fresh.get_mut() {
                let rest = gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::TIMESTAMPS | gst::BufferCopyFlags::META;
                buffer.copy_into(writable, rest, ..).ok();
            }
            *buffer = fresh;
        }
        gst::PadProbeReturn::Ok
    });
}

/// The same access unit with its notes at their length; none when nothing is too long. Start codes stand between units.
fn without_garbage(unit: &[u8]) -> Option<Vec<u8>> {
    let starts: Vec<usize> = (0..unit.len().saturating_sub(3)).filter(|i| unit[*i..].starts_with(&[0, 0, 1])).collect();
    let (mut result, mut done, mut changed) = (Vec::new(), 0, false);
    for (i, start) in starts.iter().enumerate() {
        let begin = start + 3;
        let end = starts.get(i + 1).copied().unwrap_or(unit.len());
        if let Some(length) = note(&unit[begin..end]).filter(|length| begin + length < end) {
            // A zero before the next start code belongs to it.
            let zero = usize::from(unit[end - 1] == 0 && end < unit.len());
            if begin + length + zero < end {
                result.extend_from_slice(&unit[done..begin + length]);
                done = end - zero;
                changed = true;
            }
        }
    }
    result.extend_from_slice(&unit[done..]);
    changed.then_some(result)
}

/// The length of a note: an SEI of user data (ISO/IEC 23008-2, D.2.7), as its own header says.
fn note(nal: &[u8]) -> Option<usize> {
    const PREFIX_SEI: u8 = 39;
    const USER_DATA: u8 = 5;
    if nal.first()? >> 1 & 63 != PREFIX_SEI || *nal.get(2)? != USER_DATA {
        return None;
    }
    let more = nal[3..].iter().take_while(|byte| **byte == 255).count();
    let size = more * 255 + usize::from(*nal.get(3 + more)?);
    let end = 3 + more + 1 + size;
    (*nal.get(end)? == 0x80).then_some(end + 1)
}

/// Has frames that pass this pad say nothing of a mastering display: what is tone-mapped was mastered on another.
pub(super) fn forget_display(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, |_, info| {
        let Some(gst::PadProbeData::Event(event)) = &info.data else { return gst::PadProbeReturn::Ok };
        if let gst::EventView::Caps(caps) = event.view() {
            let mut caps = caps.caps_owned();
            if let Some(structure) = caps.make_mut().structure_mut(0) {
                structure.remove_fields(["mastering-display-info", "content-light-level"]);
            }
            info.data = Some(gst::PadProbeData::Event(gst::event::Caps::new(&caps)));
        }
        gst::PadProbeReturn::Ok
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_ends_where_it_says() {
        let note = [0, 0, 0, 1, 39 << 1, 1, 5, 3, b'a', b'b', b'c', 0x80];
        let picture = [0, 0, 0, 1, 20 << 1, 1, 9, 9];
        let plain = [&note[..], &picture].concat();
        assert_eq!(without_garbage(&plain), None);
        assert_eq!(without_garbage(&[&note[..], &[7, 8, 9], &picture].concat()), Some(plain));
        assert_eq!(without_garbage(&[&note[..], &[7, 8, 9]].concat()), Some(note.to_vec()));
        assert_eq!(without_garbage(&note[..9]), None);
        assert_eq!(without_garbage(&[]), None);
    }
}
