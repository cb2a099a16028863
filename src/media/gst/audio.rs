//! The sound: measured as decoded, brought to the wanted rate and channels, and on to AAC, MP3 or PCM.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_audio as gst_audio;

use super::{
    graph::{self, cannot_build, caps, chain, make, pad, queue},
    mp3,
    run::Pulse,
    video::{Tally, file_sink},
};
use crate::{
    error::{Error, Result},
    profile::{AudioTrack, Mp3, Wav},
};

/// Samples of one AAC frame; the encoder's first one holds none of the input (ISO/IEC 14496-3).
const AAC_FRAME: u64 = 1024;

/// What all outputs share: a tee of sound as decoded, and its loudest sample.
pub(super) fn head(pipeline: &gst::Pipeline, from: &gst::Pad, pulse: &Pulse) -> Result<(gst::Element, Peak)> {
    let (first, tee) = (queue(0)?, graph::tee()?);
    // Raw sound is bounded by time; only what waits for the muxers must not be.
    first.set_property("max-size-time", gst::ClockTime::from_seconds(2));
    let entry = pad(&first, "sink")?;
    let peak = Peak::default();
    peak.watch(&entry);
    pulse.watch(&entry);
    // Demuxers say by a new segment that sound begins late or pauses. Counted from the start of the recording, that is
    // a hole between buffers, which gets filled; WAV and MP3 have no other way to say it.
    let mut elements = vec![first, make("identity", &[("single-segment", "true")])?];
    if let Some(mask) = guessed_positions(from) {
        elements.push(make("capssetter", &[("caps", &format!("audio/x-raw,channel-mask=(bitmask){mask:#x}"))])?);
    }
    elements.push(tee.clone());
    chain(pipeline, &elements)?;
    from.link(&entry).map_err(|e| cannot_build(&e))?;
    Ok((tee, peak))
}

/// Where the channels belong by their number, when the file does not say or the demuxer does not understand it
/// (QuickTime's `chan`): channels without a place cannot be mixed down.
fn guessed_positions(pad: &gst::Pad) -> Option<u64> {
    let caps = pad.current_caps()?;
    let structure = caps.structure(0)?;
    let channels = structure.get::<i32>("channels").ok().and_then(|c| u32::try_from(c).ok()).filter(|c| *c > 2)?;
    let said = structure.get::<gst::Bitmask>("channel-mask").map_or(0, |mask| mask.0);
    Some(gst_audio::AudioChannelPosition::fallback_mask(channels)).filter(|mask| said == 0 && *mask != 0)
}

/// The loudest sample so far.
#[derive(Clone, Default)]
pub(super) struct Peak(Arc<AtomicU64>);

impl Peak {
    fn watch(&self, pad: &gst::Pad) {
        let peak = self.0.clone();
        let known: Mutex<Option<(gst::Caps, gst_audio::AudioFormat)>> = Mutex::new(None);
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let (Some(buffer), Some(caps), Ok(mut known)) = (info.buffer(), pad.current_caps(), known.lock()) else {
                return gst::PadProbeReturn::Ok;
            };
            if known.as_ref().is_none_or(|(c, _)| *c != caps) {
                *known = gst_audio::AudioInfo::from_caps(&caps).ok().map(|i| (caps, i.format()));
            }
            if let (Some((_, format)), Ok(map)) = (known.as_ref(), buffer.map_readable()) {
                let loudest = loudest(*format, map.as_slice()).abs();
                // The bits of floats that are not negative have the floats' order.
                peak.fetch_max(loudest.to_bits(), Ordering::Relaxed);
            }
            gst::PadProbeReturn::Ok
        });
    }

    /// In dBFS; silence is −200.
    pub(super) fn dbfs(&self) -> f64 {
        let peak = f64::from_bits(self.0.load(Ordering::Relaxed));
        if peak > 0.0 { (20.0 * peak.log10()).max(-200.0) } else { -200.0 }
    }
}

/// The largest absolute sample, 1.0 being full scale. Planes or interleaved makes no difference to it.
fn loudest(format: gst_audio::AudioFormat, data: &[u8]) -> f64 {
    use gst_audio::AudioFormat as F;
    fn most<const N: usize>(data: &[u8], read: impl Fn([u8; N]) -> i32) -> f64 {
        f64::from(data.as_chunks::<N>().0.iter().map(|c| read(*c).unsigned_abs()).max().unwrap_or(0))
    }
    match format {
        F::S16le => most(data, |b| i32::from(i16::from_le_bytes(b))) / 32_768.0,
        F::S16be => most(data, |b| i32::from(i16::from_be_bytes(b))) / 32_768.0,
        F::S24le => most(data, |[a, b, c]| i32::from_le_bytes([0, a, b, c])) / 2_147_483_648.0,
        F::S24be => most(data, |[a, b, c]| i32::from_be_bytes([a, b, c, 0])) / 2_147_483_648.0,
        F::S2432le => most(data, |b| i32::from_le_bytes(b) << 8) / 2_147_483_648.0,
        F::S32le => most(data, i32::from_le_bytes) / 2_147_483_648.0,
        F::S32be => most(data, i32::from_be_bytes) / 2_147_483_648.0,
        F::U8 => most(data, |[b]| i32::from(b) - 128) / 128.0,
        F::S8 => most(data, |b| i32::from(i8::from_le_bytes(b))) / 128.0,
        F::F32le => {
            data.as_chunks::<4>().0.iter().fold(0.0, |m: f64, c| m.max(f64::from(f32::from_le_bytes(*c).abs())))
        }
        F::F64le => data.as_chunks::<8>().0.iter().fold(0.0, |m: f64, c| m.max(f64::from_le_bytes(*c).abs())),
        F::F32be => {
            data.as_chunks::<4>().0.iter().fold(0.0, |m: f64, c| m.max(f64::from(f32::from_be_bytes(*c).abs())))
        }
        F::F64be => data.as_chunks::<8>().0.iter().fold(0.0, |m: f64, c| m.max(f64::from_be_bytes(*c).abs())),
        _ => 0.0,
    }
}

/// From the tee to samples of this kind. More channels are mixed down, fewer are kept; holes are filled with silence,
/// so that what follows stays in time.
fn prepared(format: &str, channels: Option<u32>, rate: u32) -> Result<Vec<gst::Element>> {
    let format = if format.is_empty() { String::new() } else { format!(",format={format}") };
    let channels = channels.map(|c| format!(",channels=(int)[1,{c}]")).unwrap_or_default();
    let wanted = caps(&format!("audio/x-raw,layout=interleaved,rate={rate}{channels}{format}"))?;
    Ok(vec![queue(4)?, make("audioconvert", &[])?, make("audiorate", &[])?, make("audioresample", &[])?, wanted])
}

/// An AAC encoder for all outputs that want the same; gives the tee of its frames and its elements.
pub(super) fn aac(
    pipeline: &gst::Pipeline,
    raw: &gst::Element,
    track: &AudioTrack,
    tally: &Tally,
) -> Result<(gst::Element, Vec<gst::Element>)> {
    let mut elements = vec![raw.clone()];
    // The encoder takes planes of floats only.
    elements.extend(prepared("", Some(track.channels), track.rate)?);
    let last = make("audioconvert", &[])?;
    let encoder = make("avenc_aac", &[("bitrate", &track.bitrate.0.to_string())])?;
    let (parser, tee) = (make("aacparse", &[])?, graph::tee()?);
    let samples = pad(&elements[elements.len() - 1], "src")?;
    tally.watch(&samples, gst::ClockTime::ZERO);
    let rate = u64::from(track.rate.max(1));
    end_with_silence(&samples, AAC_FRAME * 1_000_000_000 / rate);
    // The encoder does not say that its first frame is priming, so all sound would come late by it. Moved before the
    // start, that frame is left out by the muxer.
    pad(&parser, "src")?.set_offset(-((AAC_FRAME * 1_000_000_000 / rate) as i64));
    elements.extend([last, encoder, parser, tee.clone()]);
    chain(pipeline, &elements)?;
    Ok((tee, elements.split_off(1)))
}

/// Leads the frames to a muxer, with room for as much as the other streams hold back.
pub(super) fn into_mux(pipeline: &gst::Pipeline, tee: &gst::Element, mux: &gst::Element) -> Result<Vec<gst::Element>> {
    let waiting = queue(0)?;
    chain(pipeline, &[tee.clone(), waiting.clone()])?;
    waiting.link_pads(Some("src"), mux, Some("audio_%u")).map_err(|e| cannot_build(&e))?;
    Ok(vec![waiting])
}

/// Adds silence before the end: the encoder never gives out its last frame.
fn end_with_silence(pad: &gst::Pad, nanoseconds: u64) {
    let done = AtomicBool::new(false);
    let end = Arc::new(AtomicU64::new(0));
    let seen = end.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(pts) = info.buffer().and_then(|b| Some(b.pts()? + b.duration()?)) {
            seen.store(pts.nseconds(), Ordering::Relaxed);
        }
        gst::PadProbeReturn::Ok
    });
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |pad, info| {
        let ends = info.event().is_some_and(|e| e.type_() == gst::EventType::Eos);
        if ends && !done.swap(true, Ordering::Relaxed) {
            let start = gst::ClockTime::from_nseconds(end.load(Ordering::Relaxed));
            if let Some(silence) = silence(pad, start, gst::ClockTime::from_nseconds(nanoseconds)) {
                // A refusal means that the branch is being shut down.
                pad.push(silence).ok();
            }
        }
        gst::PadProbeReturn::Ok
    });
}

fn silence(pad: &gst::Pad, start: gst::ClockTime, length: gst::ClockTime) -> Option<gst::Buffer> {
    let info = {
        let caps = pad.current_caps()?;
        gst_audio::AudioInfo::from_caps(&caps).ok()?
    };
    let samples = (length.nseconds() * u64::from(info.rate())).div_ceil(1_000_000_000);
    let mut buffer = gst::Buffer::with_size(samples as usize * info.bpf() as usize).ok()?;
    let writable = buffer.get_mut()?;
    info.format_info().fill_silence(writable.map_writable().ok()?.as_mut_slice());
    writable.set_pts(start);
    writable.set_duration(length);
    Some(buffer)
}

/// A branch that writes a file of sound alone.
pub(super) struct SoundBuilt {
    pub(super) elements: Vec<gst::Element>,
    pub(super) tally: Tally,
    /// Samples a channel that were encoded.
    pub(super) samples: Arc<AtomicU64>,
}

/// A branch to an MP3, whose first frame is left for [`mp3::complete`].
pub(super) fn mp3(
    pipeline: &gst::Pipeline,
    raw: &gst::Element,
    spec: &Mp3,
    path: &Path,
    pulse: &Pulse,
) -> Result<SoundBuilt> {
    let kilobits = (spec.bitrate.0 / 1000).to_string();
    let encoder = make("lamemp3enc", &[("target", "bitrate"), ("cbr", "true"), ("bitrate", &kilobits)])?;
    let sink = file_sink(path, pulse)?;
    mp3::leave_room(&pad(&sink, "sink")?);
    let before = prepared("", Some(spec.channels), spec.rate)?;
    sound(pipeline, raw, before, vec![make("audioconvert", &[])?, encoder, make("mpegaudioparse", &[])?, sink])
}

/// A branch to a WAV.
pub(super) fn wav(
    pipeline: &gst::Pipeline,
    raw: &gst::Element,
    spec: &Wav,
    path: &Path,
    pulse: &Pulse,
) -> Result<SoundBuilt> {
    let format = match spec.bits {
        16 => "S16LE",
        24 => "S24LE",
        32 => "S32LE",
        other => return Err(Error::unsupported(format!("a wav of {other} bits a sample"))),
    };
    let before = prepared(format, spec.channels, spec.rate)?;
    sound(pipeline, raw, before, vec![make("wavenc", &[])?, file_sink(path, pulse)?])
}

fn sound(
    pipeline: &gst::Pipeline,
    raw: &gst::Element,
    before: Vec<gst::Element>,
    after: Vec<gst::Element>,
) -> Result<SoundBuilt> {
    let (tally, samples) = (Tally::default(), Arc::new(AtomicU64::new(0)));
    let counted = pad(&before[before.len() - 1], "src")?;
    tally.watch(&counted, gst::ClockTime::ZERO);
    let count = samples.clone();
    counted.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let frame = pad.current_caps().and_then(|c| gst_audio::AudioInfo::from_caps(&c).ok()).map(|i| i.bpf());
        if let (Some(buffer), Some(frame)) = (info.buffer(), frame) {
            count.fetch_add(buffer.size() as u64 / u64::from(frame.max(1)), Ordering::Relaxed);
        }
        gst::PadProbeReturn::Ok
    });
    let mut elements = vec![raw.clone()];
    elements.extend(before);
    elements.extend(after);
    chain(pipeline, &elements)?;
    Ok(SoundBuilt { elements: elements.split_off(1), tally, samples })
}

/// Refuses a WAV that would not fit: its sizes are 32 bits.
pub(super) fn fits(spec: &Wav, channels: u32, duration_ms: u64) -> Result<()> {
    let channels = spec.channels.map_or(channels, |most| most.min(channels)).max(1);
    let second = u64::from(channels) * u64::from(spec.rate) * u64::from(spec.bits / 8);
    let most = (4 << 30) - (1 << 20);
    let size = duration_ms.saturating_mul(second) / 1000;
    if size <= most {
        return Ok(());
    }
    Err(Error::unsupported(format!("the wav would be {size} bytes, and {most} is the most that its format holds"))
        .hint("ask for fewer bits, a lower rate or fewer channels, or for mp3"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wav_of_more_than_4_gib_is_refused_before_it_is_begun() {
        let spec = Wav { bits: 24, rate: 48_000, channels: None };
        assert!(fits(&spec, 2, 4 * 3600 * 1000).is_ok());
        let error = fits(&spec, 2, 5 * 3600 * 1000).unwrap_err();
        assert_eq!(error.kind(), crate::error::Kind::Unsupported);
    }

    #[test]
    fn peaks_are_read_from_every_format() {
        use gst_audio::AudioFormat as F;
        assert_eq!(loudest(F::S16le, &(-16_384_i16).to_le_bytes()), 0.5);
        assert_eq!(loudest(F::S24le, &[0, 0, 0xC0]), 0.5);
        assert_eq!(loudest(F::F32le, &(-0.25_f32).to_le_bytes()), 0.25);
        assert_eq!(loudest(F::S32le, &i32::MIN.to_le_bytes()), 1.0);
        assert_eq!(loudest(F::U8, &[64]), 0.5);
    }
}
