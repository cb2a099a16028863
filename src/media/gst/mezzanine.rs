//! Files to edit with: ProRes, DNxHD and DNxHR in QuickTime, from frames as the master stores them. Nothing on the way has
//! fewer bits than the output.

use std::path::Path;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;
use gstreamer_video::video_frame::VideoBufferExt;

use super::{
    audio,
    branch::{Building, fit},
    color::{self, Look, Route},
    encoder::keep_durations,
    graph::{caps, chain, make, pad, queue},
    mix, timecode,
    video::{FilmBuilt, Pace, Pictures, Tally, deinterlacer, direction, file_sink, one_frame},
};
use crate::{
    error::{Error, Result},
    media::package::quicktime::{self, Becomes},
    model::{FieldOrder, VideoFacts},
    profile::{Entry, Interlaced, Mezzanine, MezzanineCodec, MezzanineProfile as Profile},
};

/// What the encoder is given.
struct Form {
    encoder: gst::Element,
    /// GStreamer's name of the pixel format.
    format: &'static str,
    keeps_alpha: bool,
}

pub(super) fn build(
    building: &mut Building<'_>,
    entry: &Entry,
    spec: &Mezzanine,
    pictures: &Pictures,
    path: &Path,
) -> Result<FilmBuilt> {
    let pipeline = building.source.live.pipeline().clone();
    let facts = building.work.facts.video.as_ref();
    let stored = pictures.stored.as_ref().ok_or_else(|| Error::internal("no frames as they are stored"))?;
    let size = fit(building.work, entry)?;
    let rotation = facts.map_or(0, |f| f.rotation);
    let order = facts.map_or(FieldOrder::Progressive, |f| f.field_order);
    let is_interlaced = order != FieldOrder::Progressive && spec.interlaced == Interlaced::Keep;
    if is_interlaced && (rotation != 0 || facts.is_some_and(|f| f.height != size.1)) {
        return Err(Error::unsupported(format!(
            "it is interlaced, of {} lines, and is to become {} x {}: fields cannot be scaled or turned",
            facts.map_or(0, |f| f.height),
            size.0,
            size.1
        ))
        .hint("leave the limits of its size out, or say interlaced: deinterlace"));
    }
    let pace = Pace::of(spec.frame_rate, facts);
    if is_interlaced && pace != Pace::Kept {
        return Err(Error::unsupported("it is interlaced: its frame rate cannot be changed")
            .hint("leave frame_rate out, or say interlaced: deinterlace"));
    }
    let rate = pace.rate(facts.map_or((0, 1), |f| f.rate));
    let form = form(spec, size, rate, is_interlaced, facts)?;
    let mut elements = vec![queue(4)?];
    if is_interlaced {
        let word = if order == FieldOrder::Top { "top-field-first" } else { "bottom-field-first" };
        let said = format!("video/x-raw,interlace-mode=(string)interleaved,field-order=(string){word}");
        let said = make("capssetter", &[("caps", &said)])?;
        say_order(&pad(&said, "src")?, order);
        elements.push(said);
    } else if order != FieldOrder::Progressive {
        elements.extend(deinterlacer(order, pictures.look.format)?);
    }
    elements.extend(pace.elements()?);
    let look = &pictures.look;
    if look.alpha && !form.keeps_alpha {
        let rgba = caps("video/x-raw,format=RGBA")?;
        color::before(&pad(&rgba, "src")?, spec.background());
        elements.extend([make("videoconvertscale", &[])?, rgba]);
    }
    elements.extend(colored(look, &form, size, rotation)?);
    if let Some(direction) = direction(rotation) {
        elements.push(make("videoflip", &[("video-direction", direction)])?);
    }
    let tally = Tally::default();
    let frames = pad(&form.encoder, "sink")?;
    tally.watch(&frames, one_frame(rate));
    if let Some(timecode) = timecode::first(building.work.facts, rate) {
        timecode::say(&frames, timecode);
    }
    let coded = pad(&form.encoder, "src")?;
    keep_durations(&frames, &coded);
    let name = form.encoder.factory().map(|f| f.name().to_string()).unwrap_or_default();
    let colors = if look.alpha && !form.keeps_alpha { color::bt709() } else { look.as_they_are() };
    let said = match spec.codec {
        MezzanineCodec::Prores => {
            say_colors(&coded, &colors);
            format!("video/x-prores,colorimetry=(string){colors}")
        }
        // QuickTime's muxer does not know it, and is told afterwards what it wrote.
        MezzanineCodec::Dnxhd | MezzanineCodec::Dnxhr => {
            format!("video/x-prores,variant=(string)hq,colorimetry=(string){colors}")
        }
    };
    let join = if spec.codec == MezzanineCodec::Prores { "true" } else { "false" };
    let mux = make("qtmux", &[])?;
    elements.extend([form.encoder, make("capssetter", &[("join", join), ("caps", &said)])?]);
    elements.extend([queue(0)?, mux.clone(), file_sink(path, building.pulse)?]);
    let mut all = vec![stored.clone()];
    all.extend(elements.iter().cloned());
    chain(&pipeline, &all)?;
    if let Some(sound) = spec.audio.as_ref().filter(|_| !building.work.facts.audio.is_empty()) {
        let prepared = building.prepare(entry, &format!("S{}BE", sound.bits))?;
        let facts = building.work.facts;
        let channels = entry.spec.sound().map_or(2, |wanted| mix::channels_of(facts, &wanted));
        elements.extend(audio::pcm(&pipeline, prepared, channels, &mux)?);
    }
    Ok(FilmBuilt { elements, mux, tally, size, encoder: name, part: None })
}

/// The encoder as its profile asks for it.
fn form(
    spec: &Mezzanine,
    size: (u32, u32),
    rate: (u32, u32),
    is_interlaced: bool,
    facts: Option<&VideoFacts>,
) -> Result<Form> {
    let profile = spec.profile_of(facts.map_or(8, |f| f.bit_depth));
    let has_alpha = facts.is_some_and(|f| f.alpha);
    if spec.codec == MezzanineCodec::Prores {
        let encoder = make("avenc_prores_ks", &[("profile", profile.as_str())])?;
        let keeps_alpha = profile == Profile::FourFourFourFour && has_alpha;
        let format = match profile {
            _ if keeps_alpha => "A444_10LE",
            Profile::FourFourFourFour => "Y444_10LE",
            _ => "I422_10LE",
        };
        if keeps_alpha {
            encoder.set_property_from_str("alpha-bits", "16");
        }
        return Ok(Form { encoder, format, keeps_alpha });
    }
    let is_dnxhd = spec.codec == MezzanineCodec::Dnxhd;
    if !matches!(size, (1920, 1080) | (1280, 720)) {
        let why = if is_dnxhd { "DNxHD has" } else { "GStreamer's encoder of DNxHR takes" };
        return Err(Error::unsupported(format!(
            "{why} pictures of 1920 x 1080 and 1280 x 720, and this is to become {} x {}",
            size.0, size.1
        ))
        .hint("set max_width or max_height so that it fits, or make ProRes"));
    }
    let encoder = if is_dnxhd {
        let is_hd = size.1 == 1080;
        let kind = television(rate).ok_or_else(|| {
            Error::unsupported(format!("DNxHD has no {}/{} frames a second", rate.0, rate.1))
                .hint("set frame_rate to 23.976, 24, 25, 29.97, 50 or 59.94")
        })?;
        if is_interlaced && (!is_hd || kind > 30) {
            return Err(Error::unsupported("interlaced DNxHD is 1920 x 1080 at 25 or 29.97 frames a second")
                .hint("say interlaced: deinterlace"));
        }
        // One rate stands for a class: how many bits a frame has decides, and that is the same at all frame rates.
        let megabits = match (profile, is_hd, is_interlaced) {
            (Profile::Lb, true, false) => 36,
            (Profile::Lb, ..) => {
                return Err(Error::unsupported("DNxHD of low bandwidth is 1920 x 1080, progressive")
                    .hint("take the profile sq"));
            }
            (Profile::Sq, true, _) => 120,
            (Profile::Sq, false, _) => 60,
            (_, true, _) => 185,
            (_, false, _) => 90,
        };
        make("avenc_dnxhd", &[("profile", "dnxhd"), ("bitrate", &(megabits * 1_000_000).to_string())])?
    } else {
        if is_interlaced {
            return Err(Error::unsupported("DNxHR is progressive").hint("say interlaced: deinterlace"));
        }
        make("avenc_dnxhd", &[("profile", &format!("dnxhr_{}", profile.as_str()))])?
    };
    let format = match profile {
        Profile::Hqx => "I422_10LE",
        Profile::FourFourFour => "Y444_10LE",
        _ => "Y42B",
    };
    Ok(Form { encoder, format, keeps_alpha: false })
}

/// Frames a second, rounded, when they are those of television.
fn television((n, d): (u32, u32)) -> Option<u32> {
    let rate = f64::from(n) / f64::from(d.max(1));
    let known = [23.976, 24.0, 25.0, 29.97, 30.0, 50.0, 59.94, 60.0];
    known.into_iter().find(|k| (rate - k).abs() < 0.005).map(|k: f64| k.round() as u32)
}

/// Scales, and brings the colors to limited range.
fn colored(look: &Look, form: &Form, size: (u32, u32), rotation: u16) -> Result<Vec<gst::Element>> {
    let (width, height) = if rotation % 180 == 90 { (size.1, size.0) } else { size };
    let flattened = look.alpha && !form.keeps_alpha;
    let full_range = match look.route {
        Route::Recode { full_range, .. } | Route::Tone { full_range, .. } => full_range && !flattened,
        Route::Plain => false,
    };
    let colors = if flattened { color::bt709() } else { look.as_they_are() };
    let coded = look.colorimetry.as_ref().filter(|_| !flattened).map_or_else(color::bt709, |c| *c);
    // What is to be recoded has 10 bits until it is.
    let format = if full_range && form.format == "Y42B" { "I422_10LE" } else { form.format };
    let said = if full_range { String::new() } else { format!(",colorimetry=(string){coded}") };
    let frames =
        caps(&format!("video/x-raw,format={format},width={width},height={height},pixel-aspect-ratio=1/1{said}"))?;
    let mut elements = vec![make("videoconvertscale", &[("method", "catrom"), ("add-borders", "false")])?];
    elements.push(frames.clone());
    elements.extend(look.limited(&frames, full_range, &colors)?);
    if full_range && format != form.format {
        let wanted = format!("video/x-raw,format={},colorimetry=(string){colors}", form.format);
        elements.extend([make("videoconvertscale", &[])?, caps(&wanted)?]);
    }
    Ok(elements)
}

/// Says the order of fields of every frame: many files do not say it frame by frame.
fn say_order(pad: &gst::Pad, order: FieldOrder) {
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer_mut() {
            let buffer = buffer.make_mut();
            let (interlaced, top) = (gst_video::VideoBufferFlags::INTERLACED, gst_video::VideoBufferFlags::TFF);
            buffer.set_video_flags(interlaced);
            if order == FieldOrder::Top {
                buffer.set_video_flags(top);
            } else {
                buffer.unset_video_flags(top);
            }
        }
        gst::PadProbeReturn::Ok
    });
}

/// Writes the colors into the headers of ProRes frames, which the encoder leaves open (SMPTE RDD 36, 5.1.1).
fn say_colors(pad: &gst::Pad, colors: &gst_video::VideoColorimetry) {
    let codes = [colors.primaries().to_iso(), colors.transfer().to_iso(), colors.matrix().to_iso()];
    let codes = codes.map(|code| u8::try_from(code).unwrap_or(2));
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
        // After the size, `icpf`, and the frame header's first fourteen bytes.
        if let Ok(mut map) = buffer.make_mut().map_writable()
            && map.get(4..8) == Some(b"icpf")
            && let Some(said) = map.get_mut(22..25)
        {
            said.copy_from_slice(&codes);
        }
        gst::PadProbeReturn::Ok
    });
}

/// What is still to be done once the file is closed.
pub(super) fn complete(path: &Path, spec: &Mezzanine, has_sound: bool) -> Result<()> {
    match spec.codec {
        MezzanineCodec::Prores => {}
        MezzanineCodec::Dnxhd => quicktime::rename(path, *b"apch", *b"AVdn", Becomes::Pictures("Avid DNxHD Codec"))?,
        MezzanineCodec::Dnxhr => quicktime::rename(path, *b"apch", *b"AVdh", Becomes::Pictures("Avid DNxHR Codec"))?,
    }
    // `twos` is of 16 bits.
    match spec.audio.as_ref().filter(|_| has_sound).map(|audio| audio.bits) {
        Some(24) => quicktime::rename(path, *b"twos", *b"in24", Becomes::Sound),
        Some(32) => quicktime::rename(path, *b"twos", *b"in32", Becomes::Sound),
        _ => Ok(()),
    }
}
