//! The encoders of moving pictures: which one does it, how it is set up, and what its packets go through on the way to a
//! muxer.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use gstreamer as gst;
use gstreamer::prelude::*;

use super::{
    av1,
    graph::{self, caps, make, pad},
    run::Live,
    sei,
};
use crate::{
    error::{Error, Result},
    profile::{BitRate, EncoderKind, Preset, VideoCodec, VideoTrack},
};

/// Which look at the pictures this is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Pass {
    /// The only one.
    Only,
    /// The first of two: what is learned goes into this file.
    First(PathBuf),
    /// The second of two.
    Second(PathBuf),
}

impl Pass {
    /// Where an entry's first look leaves what it learned.
    pub(super) fn notes(out_dir: &Path, entry: &str) -> PathBuf {
        out_dir.join(format!("{entry}.passes"))
    }

    /// Removes what the passes of an entry left.
    pub(super) fn clear(out_dir: &Path, entry: &str) {
        let notes = Self::notes(out_dir, entry);
        for end in ["", ".mbtree", ".cutree", ".temp", ".mbtree.temp", ".cutree.temp"] {
            let mut name = notes.clone().into_os_string();
            name.push(end);
            std::fs::remove_file(name).ok();
        }
    }

    fn files(&self) -> Option<(bool, &Path)> {
        match self {
            Pass::Only => None,
            Pass::First(notes) => Some((true, notes)),
            Pass::Second(notes) => Some((false, notes)),
        }
    }
}

/// How packets are to come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packets {
    /// With their headers beside them, as MP4, QuickTime and Matroska want them.
    Packed,
    /// With their headers among them, as transport streams want them.
    Stream,
}

/// What is to be encoded.
pub(super) struct Job<'a> {
    pub(super) track: &'a VideoTrack,
    pub(super) size: (u32, u32),
    /// Frames a second; 0:1 when they come as they like.
    pub(super) rate: (u32, u32),
    /// Bits a component.
    pub(super) depth: u8,
    pub(super) packets: Packets,
    /// Whether keyframes may only be where all of the same interval have them.
    pub(super) aligned: bool,
    pub(super) pass: Pass,
}

/// An encoder and what follows it.
pub(super) struct Built {
    /// The one that gets the frames, and first in `elements`.
    pub(super) elements: Vec<gst::Element>,
    /// GStreamer's name of the encoder, and whether it is hardware.
    pub(super) name: String,
}

impl Job<'_> {
    pub(super) fn build(&self) -> Result<Built> {
        let track = self.track;
        let hardware = match (track.codec, track.encoder) {
            (VideoCodec::H264 | VideoCodec::H265, Some(EncoderKind::Auto | EncoderKind::Hardware)) => {
                let found = choose(track.codec, &|encoder| runs(encoder, self.size));
                match (found, track.encoder) {
                    (None, Some(EncoderKind::Hardware)) => return Err(no_hardware(track.codec)),
                    (found, _) => found,
                }
            }
            _ => None,
        };
        if let Some(hardware) = hardware {
            return self.hardware(hardware);
        }
        let (encoder, mut after) = match track.codec {
            VideoCodec::H264 => (self.x264()?, Vec::new()),
            VideoCodec::H265 => (self.x265()?, Vec::new()),
            VideoCodec::Vp9 => (self.vp9()?, Vec::new()),
            VideoCodec::Av1 => (self.av1()?, Vec::new()),
        };
        let name = encoder.factory().map(|f| f.name().to_string()).unwrap_or_default();
        after.insert(0, encoder);
        after.extend(match track.codec {
            // Without `h264parse`, which takes the frames' durations away when their rate is not known: a last frame
            // without a duration is not shown at all.
            VideoCodec::H264 => {
                let format = if self.packets == Packets::Packed { "avc" } else { "byte-stream" };
                vec![caps(&format!("video/x-h264,profile=high,stream-format={format},alignment=au"))?]
            }
            VideoCodec::H265 => {
                sei::cut_notes(&pad(&after[0], "src")?);
                let profile = if self.depth > 8 { "main-10" } else { "main" };
                let mut elements = vec![caps(&format!("video/x-h265,profile={profile}"))?];
                elements.extend(self.parsed("h265parse", "video/x-h265", "hvc1")?);
                elements
            }
            VideoCodec::Vp9 => {
                // What the encoder does not say, and GStreamer 1.22's MP4 muxer reads without asking whether it is there.
                let said = "video/x-vp9,chroma-format=(string)4:2:0,bit-depth-luma=(uint)8,bit-depth-chroma=(uint)8,\
                            chroma-site=(string)mpeg2";
                vec![make("capssetter", &[("caps", said)])?]
            }
            VideoCodec::Av1 => {
                av1::say_colors(&pad(&after[0], "src")?);
                let mut elements = vec![make("av1parse", &[])?];
                keep_durations(&pad(&elements[0], "sink")?, &pad(&elements[0], "src")?);
                elements.push(caps("video/x-av1,stream-format=obu-stream,alignment=tu")?);
                elements
            }
        });
        Ok(Built { elements: after, name })
    }

    fn parsed(&self, parser: &str, media: &str, packed: &str) -> Result<Vec<gst::Element>> {
        let (interval, format) = match self.packets {
            Packets::Packed => ("0", packed),
            Packets::Stream => ("-1", "byte-stream"),
        };
        let parser = make(parser, &[("config-interval", interval)])?;
        keep_durations(&pad(&parser, "sink")?, &pad(&parser, "src")?);
        Ok(vec![parser, caps(&format!("{media},stream-format={format},alignment=au"))?])
    }

    fn keyframes(&self) -> u32 {
        self.track.frames_in_interval(self.rate)
    }

    /// x264: to a bit rate in its constant mode with a buffer of 600 ms, as GStreamer sets it up.
    fn x264(&self) -> Result<gst::Element> {
        let track = self.track;
        let encoder = make(
            "x264enc",
            &[("speed-preset", track.preset.as_str()), ("key-int-max", &self.keyframes().to_string())],
        )?;
        let set = |name: &str, value: String| encoder.set_property_from_str(name, &value);
        let buffer = track.buffer.map(|b| b.0.to_string());
        match (track.bitrate, track.crf) {
            (Some(bitrate), _) => set("bitrate", kilobits(bitrate)),
            (None, crf) => {
                set("pass", "qual".to_owned());
                set("quantizer", crf.unwrap_or(23).to_string());
                if let Some(max) = track.max_bitrate {
                    set("bitrate", kilobits(max));
                }
            }
        }
        match (self.pass.files(), &track.bitrate) {
            (Some((is_first, notes)), _) => {
                set("pass", if is_first { "pass1" } else { "pass2" }.to_owned());
                // As a value, not text: a path may hold any character.
                encoder.set_property("multipass-cache-file", notes.to_string_lossy().as_ref());
                set("vbv-buf-capacity", buffer.unwrap_or_else(|| "0".to_owned()));
            }
            (None, Some(_)) => buffer.into_iter().for_each(|buffer| set("vbv-buf-capacity", buffer)),
            (None, None) if track.max_bitrate.is_some() => {
                set("vbv-buf-capacity", buffer.unwrap_or_else(|| "1000".to_owned()));
            }
            (None, None) => set("vbv-buf-capacity", "0".to_owned()),
        }
        if self.aligned {
            // Keyframes only where all rungs have them, each of which begins what stands by itself.
            set("option-string", "scenecut=0:open-gop=0".to_owned());
        }
        if self.rate.0 == 0 {
            // The muxer takes for the end what is the end of the last frame it gets, so that one must be the last one
            // shown: of an animation it may stand for seconds.
            set("bframes", "0".to_owned());
        }
        Ok(encoder)
    }

    fn x265(&self) -> Result<gst::Element> {
        let track = self.track;
        // A keyframe that frames after it look back over cannot begin a fragment.
        let mut options = vec!["open-gop=0".to_owned()];
        if self.aligned {
            options.push("scenecut=0".to_owned());
        }
        if self.rate.0 == 0 {
            // It does not begin without a rate, and uses it only to judge how much a frame may take.
            options.push("bframes=0:fps=10".to_owned());
        }
        options.extend(track.crf.map(|crf| format!("crf={crf}")));
        if let Some(max) = track.max_bitrate.or(track.bitrate.filter(|_| track.buffer.is_some())) {
            let held = u64::from(max.0 / 1000) * u64::from(track.buffer.map_or(1000, |b| b.0)) / 1000;
            options.push(format!("vbv-maxrate={}:vbv-bufsize={}", kilobits(max), held.max(1)));
        }
        if let Some((is_first, notes)) = self.pass.files() {
            let notes = notes.to_string_lossy();
            if notes.contains(':') {
                return Err(Error::unsupported("x265 cannot take notes in a folder with ':' in its path")
                    .hint("have the spool in another folder, or leave passes: 2 out"));
            }
            options.push(format!("pass={}:stats={notes}", if is_first { 1 } else { 2 }));
        }
        let encoder = make(
            "x265enc",
            &[
                ("speed-preset", track.preset.as_str()),
                ("key-int-max", &self.keyframes().to_string()),
                ("option-string", &options.join(":")),
            ],
        )?;
        if let Some(bitrate) = track.bitrate {
            encoder.set_property_from_str("bitrate", &kilobits(bitrate));
        }
        Ok(encoder)
    }

    fn vp9(&self) -> Result<gst::Element> {
        let track = self.track;
        let speed = match track.preset {
            Preset::Superfast | Preset::Veryfast => "5",
            Preset::Faster => "4",
            Preset::Fast => "3",
            Preset::Medium => "2",
            Preset::Slow => "1",
        };
        // Quality alone decides below this. With 50M and more, libvpx 1.12 loses the last frames of a film.
        let most = track.max_bitrate.unwrap_or(BitRate(20_000_000));
        let keyframes = self.keyframes().to_string();
        let (rate, threads) = (track.bitrate.unwrap_or(most).0.to_string(), threads().to_string());
        let mut settings = vec![
            ("cpu-used", speed),
            ("keyframe-max-dist", &keyframes),
            ("target-bitrate", &rate),
            ("row-mt", "true"),
            ("threads", &threads),
            // Frames that come unevenly must not fall onto one tick.
            ("timebase", "1/90000"),
        ];
        let crf = track.crf.map(|c| c.to_string());
        if let Some(crf) = &crf {
            settings.extend([("end-usage", "cq"), ("cq-level", crf)]);
        }
        if self.rate.0 == 0 {
            settings.push(("lag-in-frames", "0"));
        }
        let encoder = make("vp9enc", &settings)?;
        if let Some((is_first, notes)) = self.pass.files() {
            encoder.set_property_from_str("multipass-mode", if is_first { "first-pass" } else { "last-pass" });
            encoder.set_property("multipass-cache-file", notes.to_string_lossy().as_ref());
        }
        Ok(encoder)
    }

    /// Whichever encoder of AV1 is there, the fastest first.
    fn av1(&self) -> Result<gst::Element> {
        let track = self.track;
        let there = |name: &str| gst::ElementFactory::find(name).is_some();
        let keyframes = self.keyframes().to_string();
        let speed = |of: [&'static str; 6]| of[track.preset as usize];
        let (bits, kilo) = (track.bitrate.map(|b| b.0.to_string()), track.bitrate.map(kilobits));
        let crf = track.crf.unwrap_or(35);
        let crf_text = crf.to_string();
        if there("svtav1enc") {
            let speed = speed(["11", "10", "9", "8", "6", "5"]);
            let quality = kilo.as_ref().map_or(("crf", crf_text.as_str()), |kilo| ("target-bitrate", kilo.as_str()));
            return make("svtav1enc", &[("preset", speed), ("intra-period-length", &keyframes), quality]);
        }
        if there("av1enc") || !there("rav1enc") {
            let threads = threads().to_string();
            let mut settings = vec![
                ("cpu-used", speed(["8", "6", "5", "4", "3", "2"])),
                ("keyframe-max-dist", &keyframes),
                ("threads", &threads),
            ];
            match &kilo {
                Some(kilo) => settings.push(("target-bitrate", kilo)),
                // It has no setting of quality but the bounds of its quantizer, and a bit rate that it must not miss.
                None => settings.extend([
                    ("min-quantizer", crf_text.as_str()),
                    ("max-quantizer", crf_text.as_str()),
                    ("target-bitrate", "400000"),
                ]),
            }
            return make("av1enc", &settings);
        }
        let quantizer = (u32::from(crf) * 4).to_string();
        let quality = bits.as_ref().map_or(("quantizer", quantizer.as_str()), |bits| ("bitrate", bits.as_str()));
        make(
            "rav1enc",
            &[
                ("speed-preset", speed(["10", "9", "8", "7", "6", "5"])),
                ("max-key-frame-interval", &keyframes),
                quality,
            ],
        )
    }

    fn hardware(&self, hardware: &Hardware) -> Result<Built> {
        let encoder = make(hardware.element, &[])?;
        let kilo = self.track.bitrate.map(kilobits).unwrap_or_default();
        for (name, value) in [(hardware.bitrate, kilo), (hardware.keyframes, self.keyframes().to_string())] {
            if encoder.find_property(name).is_some() {
                encoder.set_property_from_str(name, &value);
            }
        }
        if encoder.find_property("extra-controls").is_some() {
            let bits = self.track.bitrate.map_or(0, |b| i32::try_from(b.0).unwrap_or(i32::MAX));
            let controls = gst::Structure::builder("controls")
                .field("video_bitrate", bits)
                .field("video_gop_size", self.keyframes() as i32)
                .build();
            encoder.set_property("extra-controls", controls);
        }
        if self.rate.0 == 0 && encoder.find_property("b-frames").is_some() {
            encoder.set_property_from_str("b-frames", "0");
        }
        let (parser, media, packed) = match self.track.codec {
            VideoCodec::H265 => ("h265parse", "video/x-h265", "hvc1"),
            _ => ("h264parse", "video/x-h264", "avc"),
        };
        let mut elements = vec![make("videoconvertscale", &[])?, encoder];
        elements.extend(self.parsed(parser, media, packed)?);
        Ok(Built { elements, name: format!("{} (hardware)", hardware.element) })
    }
}

/// An encoder in hardware.
#[derive(Debug, PartialEq)]
pub(super) struct Hardware {
    codec: VideoCodec,
    element: &'static str,
    /// What its bit rate is called, in kilobits.
    bitrate: &'static str,
    /// What its longest distance of keyframes is called.
    keyframes: &'static str,
}

const fn hardware(codec: VideoCodec, element: &'static str, keyframes: &'static str) -> Hardware {
    Hardware { codec, element, bitrate: "bitrate", keyframes }
}

/// Those that GStreamer 1.22 has, in the order in which they are tried.
const HARDWARE: [Hardware; 10] = [
    hardware(VideoCodec::H264, "nvh264enc", "gop-size"),
    hardware(VideoCodec::H264, "qsvh264enc", "gop-size"),
    hardware(VideoCodec::H264, "vah264enc", "key-int-max"),
    hardware(VideoCodec::H264, "vaapih264enc", "keyframe-period"),
    hardware(VideoCodec::H264, "v4l2h264enc", ""),
    hardware(VideoCodec::H265, "nvh265enc", "gop-size"),
    hardware(VideoCodec::H265, "qsvh265enc", "gop-size"),
    hardware(VideoCodec::H265, "vah265enc", "key-int-max"),
    hardware(VideoCodec::H265, "vaapih265enc", "keyframe-period"),
    hardware(VideoCodec::H265, "v4l2h265enc", ""),
];

/// The first encoder in hardware that works.
fn choose(codec: VideoCodec, works: &dyn Fn(&str) -> bool) -> Option<&'static Hardware> {
    HARDWARE.iter().find(|h| h.codec == codec && works(h.element))
}

fn no_hardware(codec: VideoCodec) -> Error {
    let tried: Vec<&str> = HARDWARE.iter().filter(|h| h.codec == codec).map(|h| h.element).collect();
    Error::unsupported(format!("no encoder in hardware works here: {} were tried", tried.join(", ")))
        .hint("use encoder: auto, which falls back to software")
}

/// Whether an encoder is there and encodes a few frames of this size: many are installed without the device, and devices
/// have limits of their own.
fn runs(element: &str, (width, height): (u32, u32)) -> bool {
    let trial = || -> Result<bool> {
        let live = Live::new();
        let pictures = make("videotestsrc", &[("num-buffers", "4")])?;
        let form = || caps(&format!("video/x-raw,width={width},height={height},framerate=25/1"));
        let sink = make("fakesink", &[("sync", "false")])?;
        let convert = make("videoconvertscale", &[])?;
        let chain = [pictures, form()?, convert, form()?, make(element, &[])?, sink];
        graph::chain(live.pipeline(), &chain)?;
        if live.pipeline().set_state(gst::State::Playing).is_err() {
            return Ok(false);
        }
        let ends = [gst::MessageType::Eos, gst::MessageType::Error];
        let end = live.bus().timed_pop_filtered(gst::ClockTime::from_seconds(10), &ends);
        Ok(end.is_some_and(|m| m.type_() == gst::MessageType::Eos))
    };
    gst::ElementFactory::find(element).is_some() && trial().unwrap_or(false)
}

fn kilobits(rate: BitRate) -> String {
    (rate.0 / 1000).max(1).to_string()
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(16))
}

/// Gives packets that come out of a parser the duration that they went in with: it takes them away when the frames'
/// rate is not known.
pub(super) fn keep_durations(before: &gst::Pad, after: &gst::Pad) {
    let durations = Arc::new(Mutex::new(BTreeMap::new()));
    let waiting = durations.clone();
    before.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let (Some(buffer), Ok(mut waiting)) = (info.buffer(), waiting.lock()) {
            if let (Some(pts), Some(duration)) = (buffer.pts(), buffer.duration()) {
                waiting.insert(pts, duration);
            }
            // Far more than a parser holds back.
            while waiting.len() > 256 {
                waiting.pop_first();
            }
        }
        gst::PadProbeReturn::Ok
    });
    after.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
        let known = buffer.pts().and_then(|pts| durations.lock().ok()?.remove(&pts));
        if let Some(duration) = known.filter(|d| buffer.duration() != Some(*d)) {
            buffer.make_mut().set_duration(duration);
        }
        gst::PadProbeReturn::Ok
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_encoder_in_hardware_that_works_is_taken() {
        let of = |codec, working: &'static [&'static str]| {
            choose(codec, &|element| working.contains(&element)).map(|h| h.element)
        };
        assert_eq!(of(VideoCodec::H264, &["v4l2h264enc", "vah264enc"]), Some("vah264enc"));
        assert_eq!(of(VideoCodec::H265, &["vah264enc"]), None);
        assert_eq!(of(VideoCodec::H265, &["nvh265enc", "qsvh265enc"]), Some("nvh265enc"));
        assert_eq!(of(VideoCodec::Vp9, &["nvh264enc"]), None);
    }

    #[test]
    fn an_encoder_is_tried_with_pictures() {
        super::super::warm().unwrap();
        assert!(runs("x264enc", (320, 240)));
        assert!(!runs("x265enc", (8, 8)));
        assert!(!runs("nosuchencoder", (320, 240)));
    }
}
