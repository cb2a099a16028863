//! The sound: measured as decoded, brought to the wanted rate and channels, and on to its coding.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_audio as gst_audio;

use super::{
    graph::{self, cannot_build, caps, chain, make, pad, queue},
    mix::Prepared,
    mp3,
    run::Pulse,
    video::{Tally, file_sink},
};
use crate::{
    error::{Error, Result},
    profile::{BitRate, Codec, Coding, Lossless, Sound},
};

/// Samples of one AAC frame; the encoder's first one holds none of the input (ISO/IEC 14496-3).
const AAC_FRAME: u64 = 1024;

/// What all outputs of a track share: a tee of sound as decoded, and its loudest sample. `has_others`: more tracks of the
/// same recording are decoded, and perhaps waited for.
pub(super) fn head(
    pipeline: &gst::Pipeline,
    from: &gst::Pad,
    pulse: &Pulse,
    has_others: bool,
) -> Result<(gst::Element, Peak)> {
    let (first, tee) = (queue(0)?, graph::tee()?);
    if !has_others {
        // Raw sound is bounded by time; only what waits for the muxers must not be.
        first.set_property("max-size-time", gst::ClockTime::from_seconds(2));
    }
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

/// A tee of so much silence, of two channels at 48 kHz.
pub(super) fn silence(pipeline: &gst::Pipeline, length: gst::ClockTime) -> Result<gst::Element> {
    // In buffers of 10 ms.
    let count = length.mseconds().div_ceil(10).clamp(1, i32::MAX as u64).to_string();
    let source = make("audiotestsrc", &[("wave", "silence"), ("samplesperbuffer", "480"), ("num-buffers", &count)])?;
    let (sound, tee) = (caps("audio/x-raw,format=F32LE,layout=interleaved,rate=48000,channels=2")?, graph::tee()?);
    chain(pipeline, &[sound.clone(), queue(4)?, tee.clone()])?;
    // It begins when the recording does: before all that listens is there, it would be over.
    source.set_locked_state(true);
    pipeline.add(&source).and_then(|()| source.link(&sound)).map_err(|e| cannot_build(&e))?;
    Ok(tee)
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
pub(super) fn prepared(format: &str, channels: Option<u32>, rate: u32) -> Result<Vec<gst::Element>> {
    let format = if format.is_empty() { String::new() } else { format!(",format={format}") };
    let channels = match channels {
        None => String::new(),
        Some(1) => ",channels=1".to_owned(),
        Some(most) => format!(",channels=(int)[1,{most}]"),
    };
    let wanted = caps(&format!("audio/x-raw,layout=interleaved,rate={rate}{channels}{format}"))?;
    Ok(vec![queue(4)?, make("audioconvert", &[])?, make("audiorate", &[])?, make("audioresample", &[])?, wanted])
}

/// An encoder for all outputs that want the same; gives the tee of its frames and its elements.
pub(super) fn coded(
    pipeline: &gst::Pipeline,
    prepared: Prepared,
    sound: &Sound,
    tally: &Tally,
) -> Result<(gst::Element, Vec<gst::Element>)> {
    let coding = sound.coding.ok_or_else(|| Error::internal("sound of no codec was to be encoded"))?;
    let mut elements = vec![prepared.from];
    elements.extend(prepared.before);
    let tee = graph::tee()?;
    let encoder = encoder(coding)?;
    let samples = pad(&elements[elements.len() - 1], "src")?;
    tally.watch(&samples, gst::ClockTime::ZERO);
    if coding.codec == Codec::Aac {
        let rate = u64::from(sound.rate.unwrap_or(48_000).max(1));
        // The encoder does not say that its first frame is priming, so all sound would come late by it. Moved before the
        // start, that frame is left out by the muxer.
        pad(&encoder[encoder.len() - 1], "src")?.set_offset(-((AAC_FRAME * 1_000_000_000 / rate) as i64));
    }
    elements.extend(encoder);
    elements.push(tee.clone());
    chain(pipeline, &elements)?;
    let mut own = elements.split_off(1);
    own.extend(prepared.beside);
    Ok((tee, own))
}

/// Leads the frames to a muxer, with room for as much as the other streams hold back.
pub(super) fn into_mux(pipeline: &gst::Pipeline, tee: &gst::Element, mux: &gst::Element) -> Result<Vec<gst::Element>> {
    let waiting = queue(0)?;
    chain(pipeline, &[tee.clone(), waiting.clone()])?;
    into(&waiting, mux)?;
    Ok(vec![waiting])
}

/// Links to a new pad of the muxer for sound.
fn into(waiting: &gst::Element, mux: &gst::Element) -> Result<()> {
    // Transport streams have pads of one kind for all.
    let kind = if mux.factory().is_some_and(|f| f.name() == "mpegtsmux") { "sink_%d" } else { "audio_%u" };
    let waits = mux.sink_pads().into_iter().find(|pad| !pad.is_linked());
    let sink =
        waits.or_else(|| mux.request_pad_simple(kind)).ok_or_else(|| cannot_build(&"the muxer takes no sound"))?;
    pad(waiting, "src")?.link(&sink).map(drop).map_err(|e| cannot_build(&e))
}

/// A branch that writes a file of sound alone.
pub(super) struct SoundBuilt {
    pub(super) elements: Vec<gst::Element>,
    pub(super) tally: Tally,
    /// Samples a channel that were encoded.
    pub(super) samples: Arc<AtomicU64>,
}

/// From samples to frames of a codec, its parser last, where one does not lose what the encoder says of its edges.
fn encoder(coding: Coding) -> Result<Vec<gst::Element>> {
    let bits = coding.bitrate.0.to_string();
    let kilobits = (coding.bitrate.0 / 1000).to_string();
    let (encoder, parser) = match coding.codec {
        Codec::Aac => (make("avenc_aac", &[("bitrate", &bits)])?, "aacparse"),
        Codec::Ac3 => (make("avenc_ac3", &[("bitrate", &bits)])?, "ac3parse"),
        Codec::Opus => (make("opusenc", &[("bitrate", &bits), ("bitrate-type", "vbr")])?, "identity"),
        Codec::Mp3 => {
            let constant = [("target", "bitrate"), ("cbr", "true"), ("bitrate", kilobits.as_str())];
            (make("lamemp3enc", &constant)?, "mpegaudioparse")
        }
    };
    // Each takes samples of its own kind only.
    Ok(vec![make("audioconvert", &[])?, encoder, make(parser, &[])?])
}

/// From samples to what a codec gives back of them.
pub(super) fn there_and_back(coding: Coding) -> Result<Vec<gst::Element>> {
    let decoder = match coding.codec {
        Codec::Aac => "avdec_aac",
        Codec::Ac3 => "avdec_ac3",
        Codec::Opus => "opusdec",
        Codec::Mp3 => "avdec_mp3",
    };
    let mut elements = encoder(coding)?;
    let floats = caps("audio/x-raw,format=F32LE,layout=interleaved")?;
    elements.extend([make(decoder, &[])?, make("audioconvert", &[])?, floats]);
    Ok(elements)
}

/// A branch to an MP3, whose first frame is left for [`mp3::complete`].
pub(super) fn mp3(
    pipeline: &gst::Pipeline,
    prepared: Prepared,
    bitrate: BitRate,
    path: &Path,
    pulse: &Pulse,
) -> Result<SoundBuilt> {
    let sink = file_sink(path, pulse)?;
    mp3::leave_room(&pad(&sink, "sink")?);
    let mut after = encoder(Coding { codec: Codec::Mp3, bitrate })?;
    after.push(sink);
    sound(pipeline, prepared, after)
}

/// A branch to a WAV; where that could not hold it, to an RF64.
pub(super) fn wav(
    pipeline: &gst::Pipeline,
    prepared: Prepared,
    is_large: bool,
    path: &Path,
    pulse: &Pulse,
) -> Result<SoundBuilt> {
    let mut after = vec![make("wavenc", &[])?];
    if is_large {
        after.push(caps("audio/x-rf64")?);
    }
    after.push(file_sink(path, pulse)?);
    sound(pipeline, prepared, after)
}

/// A branch to a FLAC.
pub(super) fn flac(pipeline: &gst::Pipeline, prepared: Prepared, path: &Path, pulse: &Pulse) -> Result<SoundBuilt> {
    sound(pipeline, prepared, vec![make("flacenc", &[])?, file_sink(path, pulse)?])
}

/// A branch to Opus in Ogg.
pub(super) fn opus(
    pipeline: &gst::Pipeline,
    prepared: Prepared,
    bitrate: BitRate,
    path: &Path,
    pulse: &Pulse,
) -> Result<SoundBuilt> {
    let mut after = encoder(Coding { codec: Codec::Opus, bitrate })?;
    after.extend([make("oggmux", &[])?, file_sink(path, pulse)?]);
    sound(pipeline, prepared, after)
}

/// A branch to AC-3.
pub(super) fn ac3(
    pipeline: &gst::Pipeline,
    prepared: Prepared,
    bitrate: BitRate,
    path: &Path,
    pulse: &Pulse,
) -> Result<SoundBuilt> {
    let mut after = encoder(Coding { codec: Codec::Ac3, bitrate })?;
    after.push(file_sink(path, pulse)?);
    sound(pipeline, prepared, after)
}

/// A branch to AAC in an MP4 of its own; gives the elements of the file.
pub(super) fn m4a(
    pipeline: &gst::Pipeline,
    aac: &gst::Element,
    mux: gst::Element,
    path: &Path,
    pulse: &Pulse,
) -> Result<Vec<gst::Element>> {
    let sink = file_sink(path, pulse)?;
    let mut elements = vec![mux.clone(), sink];
    chain(pipeline, &elements)?;
    elements.extend(into_mux(pipeline, aac, &mux)?);
    Ok(elements)
}

/// A branch of linear PCM of so many channels to a muxer of pictures.
pub(super) fn pcm(
    pipeline: &gst::Pipeline,
    prepared: Prepared,
    channels: u32,
    mux: &gst::Element,
) -> Result<Vec<gst::Element>> {
    let waiting = queue(0)?;
    let mut elements = vec![prepared.from];
    elements.extend(prepared.before);
    if channels > 2 {
        // GStreamer 1.22 writes them to QuickTime only as channels without places, and would mix down others.
        elements.push(make("capssetter", &[("caps", "audio/x-raw,channel-mask=(bitmask)0x0")])?);
    }
    elements.push(waiting.clone());
    chain(pipeline, &elements)?;
    into(&waiting, mux)?;
    let mut own = elements.split_off(1);
    own.extend(prepared.beside);
    Ok(own)
}

fn sound(pipeline: &gst::Pipeline, prepared: Prepared, after: Vec<gst::Element>) -> Result<SoundBuilt> {
    let (tally, samples) = (Tally::default(), Arc::new(AtomicU64::new(0)));
    let counted = pad(&prepared.before[prepared.before.len() - 1], "src")?;
    tally.watch(&counted, gst::ClockTime::ZERO);
    let count = samples.clone();
    counted.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let frame = pad.current_caps().and_then(|c| gst_audio::AudioInfo::from_caps(&c).ok()).map(|i| i.bpf());
        if let (Some(buffer), Some(frame)) = (info.buffer(), frame) {
            count.fetch_add(buffer.size() as u64 / u64::from(frame.max(1)), Ordering::Relaxed);
        }
        gst::PadProbeReturn::Ok
    });
    let mut elements = vec![prepared.from];
    elements.extend(prepared.before);
    elements.extend(after);
    chain(pipeline, &elements)?;
    let mut elements = elements.split_off(1);
    elements.extend(prepared.beside);
    Ok(SoundBuilt { elements, tally, samples })
}

/// Whether a WAV of this many channels would not fit: its sizes are 32 bits.
pub(super) fn is_large(spec: &Lossless, channels: u32, duration_ms: u64) -> bool {
    let second = u64::from(channels.max(1)) * u64::from(spec.rate) * u64::from(spec.bits / 8);
    duration_ms.saturating_mul(second) / 1000 > (4 << 30) - (1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wav_of_more_than_4_gib_is_told_before_it_is_begun() {
        let spec: Lossless = serde_json::from_str("{}").unwrap();
        assert!(!is_large(&spec, 2, 4 * 3600 * 1000));
        assert!(is_large(&spec, 2, 5 * 3600 * 1000));
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
