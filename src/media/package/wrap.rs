//! Coded pictures and sound wrapped into the packets of an MPEG transport stream (ISO/IEC 13818-1): H.264 as a byte stream
//! (annex B of ITU-T H.264), AAC in ADTS frames (ISO/IEC 14496-3, 1.A).

use super::boxes::damaged;
use crate::error::{Error, Result};

/// Ticks a second of all times here.
pub(super) const CLOCK: u32 = 90_000;
/// Where time 0 lies: what is decoded ahead has a time before it, and none may be negative.
pub(super) const BASE: u64 = 10 * CLOCK as u64;
/// How long before its decoding a picture begins to arrive: as long as the encoder's own buffer, and a bit.
const AHEAD: i64 = 7 * CLOCK as i64 / 10;

const PACKET: usize = 188;
const TABLES: u16 = 0;
const PROGRAM: u16 = 0x1000;
const VIDEO: u16 = 0x100;
const AUDIO: u16 = 0x101;
/// Most bytes of sound in one packet of its stream, whose length is 16 bits.
const MOST_SOUND: usize = 60_000;

/// A coded picture, or a frame of sound. Times in ticks of the clock.
#[derive(Debug, PartialEq)]
pub(super) struct Unit {
    /// When it is decoded. May be before time 0.
    pub(super) decoded: i64,
    /// When it is shown, or heard.
    pub(super) shown: i64,
    /// When it is decoded, counted from the first.
    pub(super) begins: i64,
    pub(super) is_key: bool,
    /// As they lie in an MP4.
    pub(super) bytes: Vec<u8>,
}

impl Unit {
    pub(super) fn seconds(&self) -> f64 {
        self.begins as f64 / f64::from(CLOCK)
    }
}

/// What stands before samples so that they can be decoded from any keyframe on.
pub(super) enum Codec {
    /// How many bytes the length of a unit has, and the parameter sets as a byte stream.
    H264 { length: usize, sets: Vec<u8> },
    /// The fields of an ADTS header: object type less one, index of the rate, channels.
    Aac { kind: u8, rate: u8, channels: u8 },
}

impl Codec {
    /// From the content of an `avcC` (ISO/IEC 14496-15, 5.3.3.1).
    pub(super) fn h264(config: &[u8]) -> Option<Self> {
        let (length, mut sets) = (usize::from(config.get(4)? & 3) + 1, Vec::new());
        let mut rest = config.get(5..)?;
        for mask in [0x1f, 0xff] {
            let count = rest.first()? & mask;
            rest = &rest[1..];
            for _ in 0..count {
                let size = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
                sets.extend([0, 0, 0, 1]);
                sets.extend(rest.get(2..2 + size)?);
                rest = &rest[2 + size..];
            }
        }
        Some(Self::H264 { length, sets })
    }

    /// From an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1). None of layouts for which ADTS has no number.
    pub(super) fn aac(config: &[u8]) -> Option<Self> {
        let (first, second) = (*config.first()?, *config.get(1)?);
        let (kind, rate, channels) = (first >> 3, (first & 7) << 1 | second >> 7, second >> 3 & 0xf);
        let is_known = (1..=4).contains(&kind) && rate < 13 && (1..=7).contains(&channels);
        is_known.then_some(Self::Aac { kind: kind - 1, rate, channels })
    }
}

/// Writes the packets of one stream.
pub(super) struct Wrapper {
    video: Option<Codec>,
    audio: Option<Codec>,
    /// By stream: tables, program, video, audio.
    counters: [u8; 4],
}

impl Wrapper {
    pub(super) fn new(video: Option<Codec>, audio: Option<Codec>) -> Self {
        Self { video, audio, counters: [0; 4] }
    }

    /// What a player has to know before anything else.
    pub(super) fn tables(&mut self) -> Vec<u8> {
        let [high, low] = PROGRAM.to_be_bytes();
        let mut out = Vec::with_capacity(2 * PACKET);
        self.table(TABLES, section(0, &[0, 1, 0xe0 | high, low]), &mut out);
        // Where the clock is, then each stream's type and where it is.
        let clock = if self.video.is_some() { VIDEO } else { AUDIO };
        let [high, low] = clock.to_be_bytes();
        let mut content = vec![0xe0 | high, low, 0xf0, 0];
        for (kind, pid, _) in [(0x1b, VIDEO, &self.video), (0x0f, AUDIO, &self.audio)].iter().filter(|s| s.2.is_some())
        {
            let [high, low] = u16::to_be_bytes(*pid);
            content.extend([*kind, 0xe0 | high, low, 0xf0, 0]);
        }
        self.table(PROGRAM, section(2, &content), &mut out);
        out
    }

    /// A picture, with its parameter sets where it can be decoded alone.
    pub(super) fn picture(&mut self, unit: &Unit, out: &mut Vec<u8>) -> Result<()> {
        let Some(Codec::H264 { length, sets }) = &self.video else {
            return Err(Error::internal("pictures of no stream"));
        };
        // Begins with a delimiter, which the streams of this wrapping must have.
        let mut bytes = vec![0, 0, 0, 1, 9, 0xf0];
        if unit.is_key {
            bytes.extend_from_slice(sets);
        }
        let mut rest = unit.bytes.as_slice();
        while !rest.is_empty() {
            let cut = || damaged("a picture is cut short");
            let (size, after) = rest.split_at_checked(*length).ok_or_else(cut)?;
            let size = size.iter().fold(0, |size, byte| size << 8 | usize::from(*byte));
            let (nal, after) = after.split_at_checked(size).ok_or_else(cut)?;
            rest = after;
            // Parameter sets and delimiters stand before already.
            if nal.first().is_some_and(|kind| !matches!(kind & 0x1f, 7..=9)) {
                bytes.extend([0, 0, 0, 1]);
                bytes.extend_from_slice(nal);
            }
        }
        let times = time(3, unit.shown).into_iter().chain(time(1, unit.decoded)).collect::<Vec<_>>();
        // Of no said length, as is for pictures alone.
        let mut packet = vec![0, 0, 1, 0xe0, 0, 0, 0x84, 0xc0, 10];
        packet.extend(times);
        packet.extend(bytes);
        self.packets(VIDEO, &packet, (Some(unit.decoded), unit.is_key), out);
        Ok(())
    }

    /// Frames of sound that follow each other.
    pub(super) fn sound(&mut self, units: &[Unit], out: &mut Vec<u8>) -> Result<()> {
        let Some(Codec::Aac { kind, rate, channels }) = &self.audio else {
            return Err(Error::internal("sound of no stream"));
        };
        let head = [0xff, 0xf1, kind << 6 | rate << 2 | channels >> 2, channels << 6];
        let mut framed: Vec<(i64, Vec<u8>)> = Vec::new();
        for unit in units {
            let length = unit.bytes.len() + 7;
            if length >= 1 << 13 {
                return Err(damaged("a frame of sound is too large"));
            }
            let frame = head[..3].iter().copied().chain([
                head[3] | (length >> 11) as u8,
                (length >> 3) as u8,
                ((length & 7) << 5) as u8 | 0x1f,
                0xfc,
            ]);
            match framed.last_mut() {
                Some((_, bytes)) if bytes.len() + length <= MOST_SOUND => {
                    bytes.extend(frame.chain(unit.bytes.iter().copied()))
                }
                _ => framed.push((unit.shown, frame.chain(unit.bytes.iter().copied()).collect())),
            }
        }
        let has_clock = self.video.is_none();
        for (shown, bytes) in framed {
            let [high, low] = u16::try_from(bytes.len() + 8).unwrap_or(0).to_be_bytes();
            let mut packet = vec![0, 0, 1, 0xc0, high, low, 0x84, 0x80, 5];
            packet.extend(time(2, shown));
            packet.extend(bytes);
            self.packets(AUDIO, &packet, (has_clock.then_some(shown), true), out);
        }
        Ok(())
    }

    /// One packet of a stream, cut; `clock` is told with the first where the program's clock is there.
    fn packets(&mut self, pid: u16, packet: &[u8], (clock, is_key): (Option<i64>, bool), out: &mut Vec<u8>) {
        let mut rest = packet;
        let mut is_first = true;
        while !rest.is_empty() {
            // What stands between header and content: flags, clock, then as much as fills the packet.
            let mut between = Vec::new();
            if is_first && (clock.is_some() || is_key) {
                between.push(if is_key { 0x40 } else { 0 } | if clock.is_some() { 0x10 } else { 0 });
                between.extend(clock.map(|decoded| reference(decoded - AHEAD)).into_iter().flatten());
            }
            let room = PACKET - 4 - if between.is_empty() { 0 } else { between.len() + 1 };
            let taken = rest.len().min(room);
            let fill = room - taken;
            let mut field = Vec::new();
            if !between.is_empty() || fill > 0 {
                if between.is_empty() && fill > 1 {
                    between.push(0);
                }
                let length = PACKET - 4 - taken - 1;
                between.resize(length, 0xff);
                field.push(length as u8);
                field.extend(between);
            }
            self.header(pid, is_first, !field.is_empty(), out);
            out.extend(field);
            out.extend_from_slice(&rest[..taken]);
            rest = &rest[taken..];
            is_first = false;
        }
    }

    fn table(&mut self, pid: u16, section: Vec<u8>, out: &mut Vec<u8>) {
        let end = out.len() + PACKET;
        self.header(pid, true, false, out);
        out.push(0);
        out.extend(section);
        out.resize(end, 0xff);
    }

    fn header(&mut self, pid: u16, is_first: bool, has_field: bool, out: &mut Vec<u8>) {
        let counter = match pid {
            TABLES => 0,
            PROGRAM => 1,
            VIDEO => 2,
            _ => 3,
        };
        let [high, low] = pid.to_be_bytes();
        let count = self.counters[counter];
        self.counters[counter] = (count + 1) & 0xf;
        out.extend([0x47, if is_first { 0x40 } else { 0 } | high, low, if has_field { 0x30 } else { 0x10 } | count]);
    }
}

/// A time with its four bits of mark.
fn time(mark: u8, ticks: i64) -> [u8; 5] {
    let t = ticks.saturating_add_unsigned(BASE).max(0) as u64;
    [
        mark << 4 | ((t >> 29) & 0x0e) as u8 | 1,
        (t >> 22) as u8,
        ((t >> 14) & 0xfe) as u8 | 1,
        (t >> 7) as u8,
        ((t << 1) & 0xfe) as u8 | 1,
    ]
}

/// The program's clock.
fn reference(ticks: i64) -> [u8; 6] {
    let t = ticks.saturating_add_unsigned(BASE).max(0) as u64;
    [(t >> 25) as u8, (t >> 17) as u8, (t >> 9) as u8, (t >> 1) as u8, ((t & 1) << 7) as u8 | 0x7e, 0]
}

/// A table of the first program, with its check sum.
fn section(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 0xb0, (content.len() + 9) as u8, 0, 1, 0xc1, 0, 0];
    bytes.extend(content);
    let sum = bytes.iter().fold(u32::MAX, |sum, byte| {
        let sum = sum ^ u32::from(*byte) << 24;
        (0..8).fold(sum, |sum, _| sum << 1 ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 })
    });
    bytes.extend(sum.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_the_sum_that_a_receiver_checks() {
        // As every other multiplexer writes it of one program at 0x1000.
        let table = section(0, &[0, 1, 0xf0, 0]);
        assert_eq!(table, [0, 0xb0, 0x0d, 0, 1, 0xc1, 0, 0, 0, 1, 0xf0, 0, 0x2a, 0xb1, 0x04, 0xb2]);
    }

    #[test]
    fn packets_are_whole_whatever_is_left_for_the_last() {
        for length in 1..400 {
            let mut wrapper = Wrapper::new(None, None);
            let mut out = Vec::new();
            let content: Vec<u8> = (0..length).map(|i| i as u8).collect();
            wrapper.packets(VIDEO, &content, (Some(0), length % 2 == 0), &mut out);
            assert_eq!(out.len() % PACKET, 0);
            let mut read: Vec<u8> = Vec::new();
            for (i, packet) in out.chunks(PACKET).enumerate() {
                assert_eq!((packet[0], packet[3] & 0xf), (0x47, i as u8));
                let field = if packet[3] & 0x20 == 0 { 0 } else { 1 + usize::from(packet[4]) };
                read.extend(&packet[4 + field..]);
            }
            assert_eq!(read, content);
        }
    }
}
