//! AV1 as libaom writes it through GStreamer 1.22, which does not say what the colors are: they are put into the sequence
//! header, where every player looks (AV1 Bitstream & Decoding Process Specification, 5.5 and 6.4).

use gstreamer as gst;
use gstreamer::prelude::*;

/// Has the packets that pass this pad say BT.709 of limited range. What is not understood passes as it is, and is refused
/// by the gate.
pub(super) fn say_colors(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::BUFFER, |_, info| {
        let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
        let changed = buffer.map_readable().ok().and_then(|map| with_colors(map.as_slice()));
        if let Some(bytes) = changed {
            let mut fresh = gst::Buffer::from_mut_slice(bytes);
            if let Some(writable) = fresh.get_mut() {
                // Times, flags and the rest are the old one's.
                let rest = gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::TIMESTAMPS | gst::BufferCopyFlags::META;
                buffer.copy_into(writable, rest, ..).ok();
            }
            *buffer = fresh;
        }
        gst::PadProbeReturn::Ok
    });
}

/// A temporal unit whose sequence headers say BT.709; none when there is none that does not say anything yet.
fn with_colors(unit: &[u8]) -> Option<Vec<u8>> {
    const SEQUENCE_HEADER: u8 = 1;
    let (mut result, mut rest, mut changed) = (Vec::with_capacity(unit.len() + 8), unit, false);
    while let Some(&header) = rest.first() {
        let (kind, extended, sized) = (header >> 3 & 15, header & 4 != 0, header & 2 != 0);
        let before = if extended { 2 } else { 1 };
        let (size, bytes) = if sized { leb128(rest.get(before..)?)? } else { (rest.len() - before, 0) };
        let payload = rest.get(before + bytes..before + bytes + size)?;
        match Some(payload).filter(|_| kind == SEQUENCE_HEADER && sized).and_then(described) {
            Some(new) => {
                result.extend_from_slice(&rest[..before]);
                put_leb128(&mut result, new.len());
                result.extend(new);
                changed = true;
            }
            None => result.extend_from_slice(&rest[..before + bytes + size]),
        }
        rest = &rest[before + bytes + size..];
    }
    changed.then_some(result)
}

fn leb128(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (i, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, i + 1));
        }
    }
    None
}

fn put_leb128(to: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        to.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

struct Bits<'a>(&'a [u8], usize);

impl Bits<'_> {
    fn read(&mut self, count: usize) -> Option<u32> {
        (0..count).try_fold(0, |value, _| {
            let bit = self.0.get(self.1 / 8)? >> (7 - self.1 % 8) & 1;
            self.1 += 1;
            Some(value << 1 | u32::from(bit))
        })
    }

    fn flag(&mut self) -> Option<bool> {
        Some(self.read(1)? == 1)
    }
}

/// A sequence header with BT.709 in it; none when it has a description already or is of another kind than what is made
/// here.
fn described(payload: &[u8]) -> Option<Vec<u8>> {
    let mut bits = Bits(payload, 0);
    let profile = bits.read(3)?;
    bits.read(1)?;
    // Reduced headers are of still pictures.
    if profile != 0 || bits.flag()? {
        return None;
    }
    // Timing and the decoder's model are never written.
    if bits.flag()? {
        return None;
    }
    let delays = bits.flag()?;
    for _ in 0..=bits.read(5)? {
        bits.read(12)?;
        if bits.read(5)? > 7 {
            bits.read(1)?;
        }
        if delays && bits.flag()? {
            bits.read(4)?;
        }
    }
    let (width, height) = (bits.read(4)? as usize + 1, bits.read(4)? as usize + 1);
    bits.read(width)?;
    bits.read(height)?;
    if bits.flag()? {
        bits.read(4 + 3)?;
    }
    // Superblocks, filter intra, intra edge, interintra, masked compound, warped motion, dual filter.
    bits.read(3 + 4)?;
    let hints = bits.flag()?;
    if hints {
        bits.read(2)?;
    }
    let screen_content = if bits.flag()? { 2 } else { bits.read(1)? };
    if screen_content > 0 && !bits.flag()? {
        bits.read(1)?;
    }
    if hints {
        bits.read(3)?;
    }
    // Superres, CDEF, restoration, high bit depth, monochrome.
    bits.read(3 + 2)?;
    let at = bits.1;
    if bits.flag()? {
        return None;
    }
    // A one and zeros fill the last byte, and more of them may follow.
    let last = payload.iter().rposition(|byte| *byte != 0)?;
    let end = last * 8 + 7 - payload[last].trailing_zeros() as usize;
    let bit = |i: usize| payload[i / 8] >> (7 - i % 8) & 1 == 1;
    let mut all: Vec<bool> = (0..at).map(bit).collect();
    all.push(true);
    // Primaries, transfer and matrix are 1 each (ISO/IEC 23091-2).
    for _ in 0..3 {
        all.extend([false, false, false, false, false, false, false, true]);
    }
    all.extend((at + 1..end).map(bit));
    all.push(true);
    Some(all.chunks(8).map(|byte| byte.iter().enumerate().fold(0, |b, (i, on)| b | u8::from(*on) << (7 - i))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_sequence_header_is_left_alone() {
        assert_eq!(with_colors(&[]), None);
        // A temporal delimiter, a frame, and what is cut off.
        assert_eq!(with_colors(&[0x12, 0x00]), None);
        assert_eq!(with_colors(&[0x32, 0x03, 1, 2, 3]), None);
        assert_eq!(with_colors(&[0x0a, 0x20, 0]), None);
        assert_eq!(with_colors(&[0x0a, 0x02, 0, 0]), None);
    }
}
