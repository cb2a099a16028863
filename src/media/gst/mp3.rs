//! The first frame of an MP3: it holds no sound but says how many frames follow and how many samples at both ends are
//! the encoder's own, without which players start 23 ms late. GStreamer's `xingmux` does not say the latter.
//!
//! Layout: ISO/IEC 11172-3 (frame header), Xing's header, and LAME's extension of it ("Mp3 Info Tag revision 1").

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::error::{Doing, Error, Result};

const KILOBITS: [u32; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const RATES: [u32; 3] = [44_100, 48_000, 32_000];
/// Samples a frame of MPEG-1 layer III.
const FRAME: u64 = 1152;
/// Samples that LAME puts before the first of the input. Decoders know their own delay of 529.
const DELAY: u64 = 576;
/// The header of 4, the longest side information of 32, Xing's 120 and LAME's 36 bytes.
const LEAST: usize = 192;
/// CRC-16 (x^16 + x^15 + x^2 + 1), bits reversed.
const CRC: u16 = 0xA001;

/// The header of a frame of MPEG-1 layer III.
#[derive(Clone, Copy)]
struct Header {
    bytes: [u8; 4],
    kilobits: u32,
    rate: u32,
}

impl Header {
    fn read(bytes: [u8; 4]) -> Option<Self> {
        let layer3 = bytes[0] == 0xFF && bytes[1] & 0xFE == 0xFA;
        let kilobits = *KILOBITS.get(usize::from(bytes[2] >> 4)).filter(|k| **k > 0)?;
        let rate = *RATES.get(usize::from(bytes[2] >> 2 & 3))?;
        layer3.then_some(Self { bytes, kilobits, rate })
    }

    fn size(self) -> usize {
        (144_000 * self.kilobits / self.rate + u32::from(self.bytes[2] >> 1 & 1)) as usize
    }

    /// The header of a frame that has room for the tag, otherwise like this one.
    fn roomy(self) -> Self {
        let fits = |index: &usize| 144_000 * KILOBITS[*index] / self.rate >= LEAST as u32;
        let like = usize::from(self.bytes[2] >> 4);
        let index = (like..KILOBITS.len()).find(fits).unwrap_or(KILOBITS.len() - 1);
        // No padding, no checksum.
        let bytes = [0xFF, 0xFB, (index as u8) << 4 | self.bytes[2] & 0x0C, self.bytes[3]];
        Self { bytes, kilobits: KILOBITS[index], rate: self.rate }
    }

    fn side_information(self) -> usize {
        if self.bytes[3] >> 6 == 3 { 17 } else { 32 }
    }
}

/// Puts an empty frame before the first one that passes this pad.
pub(super) fn leave_room(pad: &gst::Pad) {
    let done = AtomicBool::new(false);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if done.swap(true, Ordering::Relaxed) {
            return gst::PadProbeReturn::Ok;
        }
        let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
        let room = buffer.map_readable().ok().and_then(|m| Header::read(*m.as_slice().first_chunk()?)).map(|h| {
            let h = h.roomy();
            let mut frame = vec![0_u8; h.size()];
            frame[..4].copy_from_slice(&h.bytes);
            frame
        });
        if let Some(frame) = room {
            let mut longer = gst::Buffer::from_mut_slice(frame);
            longer.append(buffer.clone());
            *buffer = longer;
        }
        gst::PadProbeReturn::Ok
    });
}

/// Fills in the first frame of a finished file of `samples` a channel.
pub(super) fn complete(path: &Path, samples: u64) -> Result<()> {
    let doing = || format!("cannot complete {}", path.display());
    let mut file = OpenOptions::new().read(true).write(true).open(path).doing(doing)?;
    let size = file.metadata().doing(doing)?.len();
    let header = header_at(&mut file, 0).ok_or_else(|| Error::internal("the mp3 does not begin with a frame"))?;
    let mut at = header.size() as u64;
    let mut frames = 0_u64;
    while let Some(next) = header_at(&mut file, at) {
        frames += 1;
        at += next.size() as u64;
    }
    let tag = tag(header, frames, size, samples);
    file.seek(SeekFrom::Start(0)).doing(doing)?;
    file.write_all(&tag).doing(doing)?;
    file.sync_all().doing(doing)
}

fn header_at(file: &mut File, at: u64) -> Option<Header> {
    let mut bytes = [0; 4];
    file.seek(SeekFrom::Start(at)).ok()?;
    file.read_exact(&mut bytes).ok()?;
    Header::read(bytes)
}

fn tag(header: Header, frames: u64, size: u64, samples: u64) -> Vec<u8> {
    let mut tag = Vec::with_capacity(header.size());
    tag.extend(header.bytes);
    tag.resize(4 + header.side_information(), 0);
    tag.extend(b"Info");
    // Frames, bytes, table of contents and quality are all there.
    tag.extend(15_u32.to_be_bytes());
    tag.extend((frames as u32).to_be_bytes());
    tag.extend((size as u32).to_be_bytes());
    // At a constant bit rate, every hundredth of the time is a hundredth of the bytes.
    tag.extend((0..100_u32).map(|i| (i * 256 / 100) as u8));
    tag.extend(0_u32.to_be_bytes());
    tag.extend(b"LAME3.100");
    // Revision 0, constant bit rate; no low pass, peak or gain said.
    tag.push(1);
    tag.extend([0; 10]);
    tag.push(header.kilobits.min(255) as u8);
    let padding = (frames * FRAME).saturating_sub(DELAY + samples).min(4095);
    let both = (DELAY as u32) << 12 | padding as u32;
    tag.extend(&both.to_be_bytes()[1..]);
    tag.extend([0; 4]);
    tag.extend((size as u32).to_be_bytes());
    tag.extend([0; 2]);
    let crc = tag.iter().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |c, _| if c & 1 == 1 { c >> 1 ^ CRC } else { c >> 1 })
    });
    tag.extend(crc.to_be_bytes());
    tag.resize(header.size(), 0);
    tag
}
