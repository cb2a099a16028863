//! A brand in a pipeline: what [`brand`](crate::media::brand) does to planes and samples, where they pass.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Mutex,
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_audio as gst_audio;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use super::{
    graph::{cannot_build, chain, make, pad},
    level,
    mix::Heads,
    run::{self, Complaints, Pulse, Watch},
    sound_decode,
    source::{self, Wanted},
    stall,
    video::{in_place, running_time},
};
use crate::{
    error::{Doing, Error, Result},
    media::{
        Work,
        brand::{Bed, Finish, Planes, Track, script},
        render,
    },
    model::MediaFacts,
    profile::{Brand, Downmix, Mono, Piece, Sound, SoundBed, Tracks},
};

/// Longer than any film.
const FOR_EVER: gst::ClockTime = gst::ClockTime::from_seconds(1000 * 3600);

/// The part of a branch that puts a brand on its frames.
pub(super) struct Branding {
    pub(super) elements: Vec<gst::Element>,
    /// What draws words, and what.
    words: Option<(gst::Element, String)>,
}

impl Branding {
    /// For upright frames of this size, 8 bit 4:2:0 in BT.709.
    pub(super) fn new(brand: &Brand, size: (u32, u32)) -> Result<Self> {
        let mut branding = Self { elements: Vec::new(), words: None };
        let finish = Finish::new(brand, size)?;
        if !finish.is_empty() {
            let element = make("identity", &[])?;
            in_place(&pad(&element, "src")?, move |frame| put_on(&finish, frame));
            branding.elements.push(element);
        }
        if let Some(script) = script(brand, size)? {
            let element = make("assrender", &[])?;
            branding.elements.push(element.clone());
            branding.words = Some((element, script));
        }
        Ok(branding)
    }

    /// Hands over the words, once the elements are in a pipeline that is not stopped: before any frame comes, so that the
    /// first ones are not without.
    pub(super) fn say(&self) -> Result<()> {
        let Some((element, script)) = &self.words else { return Ok(()) };
        let ear = pad(element, "text_sink")?;
        let caps = gst::Caps::builder("application/x-ssa")
            .field("codec_data", gst::Buffer::from_slice(script.clone().into_bytes()))
            .build();
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        // All of the words are in what usually is the head alone, so that none can be late. It draws while it has a subtitle,
        // so it is given one that says nothing, for ever.
        let events =
            [gst::event::StreamStart::new("words"), gst::event::Caps::new(&caps), gst::event::Segment::new(&segment)];
        let mut silence = gst::Buffer::from_slice("0,0,,,0,0,0,,");
        if let Some(silence) = silence.get_mut() {
            silence.set_pts(gst::ClockTime::ZERO);
            silence.set_duration(FOR_EVER);
        }
        match events.into_iter().all(|event| ear.send_event(event)) && ear.chain(silence).is_ok() {
            true => Ok(()),
            false => Err(cannot_build(&"the words were refused")),
        }
    }
}

fn put_on(finish: &Finish, frame: &mut gst_video::VideoFrameRef<&mut gst::BufferRef>) -> Result<()> {
    if frame.format() != gst_video::VideoFormat::I420 {
        return Err(Error::internal("a brand was given a frame that is not I420"));
    }
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let strides = [0, 1].map(|plane| frame.plane_stride()[plane] as usize);
    let [luma, cb, cr, _] = frame.planes_data_mut();
    let [luma_stride, chroma_stride] = strides;
    finish.apply(&mut Planes { width, height, luma, luma_stride, chroma: [cb, cr], chroma_stride });
    Ok(())
}

/// Decoded music and voices of brands, by the files that they were.
#[derive(Clone, Default)]
pub(super) struct Beds(Vec<(PathBuf, Track)>);

impl Beds {
    /// Decodes what these sounds are mixed with.
    pub(super) fn decode(&mut self, work: &Work<'_>, sounds: &[Sound]) -> Result<()> {
        for piece in sounds.iter().filter_map(|s| s.bed.as_ref()).flat_map(SoundBed::pieces) {
            if !self.0.iter().any(|(path, _)| *path == piece.path) {
                let track = decoded(work, &piece.path).map_err(|e| {
                    Error::new(e.kind(), format!("the brand's {}: {}", piece.path.display(), e.one_line()))
                })?;
                self.0.push((piece.path.clone(), track));
            }
        }
        Ok(())
    }

    fn track(&self, piece: &Piece) -> Result<Track> {
        let known = self.0.iter().find(|(path, _)| *path == piece.path);
        known.map(|(_, track)| track.clone()).ok_or_else(|| Error::internal("a brand's sound that was not decoded"))
    }

    /// An element that mixes a brand's sound with the floats that pass it.
    pub(super) fn mixing(&self, bed: &SoundBed, facts: &MediaFacts, rate: u32) -> Result<gst::Element> {
        let music = bed.music.as_ref().map(|m| self.track(&m.file).map(|track| (m.clone(), track))).transpose()?;
        let narration =
            bed.narration.as_ref().map(|n| self.track(&n.file).map(|track| (n.clone(), track))).transpose()?;
        let mixer = Mutex::new(Bed::new(music, narration, facts.duration_ms.unwrap_or(0), rate));
        let element = make("identity", &[])?;
        pad(&element, "src")?.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let known = pad.current_caps().and_then(|c| gst_audio::AudioInfo::from_caps(&c).ok());
            let (Some(known), Some(buffer), Ok(mut mixer)) = (known, info.buffer_mut(), mixer.lock()) else {
                return gst::PadProbeReturn::Drop;
            };
            let time = running_time(pad, buffer).unwrap_or(gst::ClockTime::ZERO);
            let at = (u128::from(time.nseconds()) * u128::from(known.rate()) + 500_000_000) / 1_000_000_000;
            let Ok(mut map) = buffer.make_mut().map_writable() else { return gst::PadProbeReturn::Drop };
            let mut samples = level::floats(map.as_slice());
            mixer.mix(at as u64, &mut samples, known.channels() as usize);
            map.as_mut_slice().copy_from_slice(&level::raw(samples.into_iter()));
            gst::PadProbeReturn::Ok
        });
        Ok(element)
    }
}

/// Decodes a file's sound to floats of two channels at 48 kHz, kept in a file without a name.
fn decoded(work: &Work<'_>, path: &Path) -> Result<Track> {
    let facts = render::measure(path, work.stop)?;
    if facts.audio.is_empty() {
        return Err(Error::invalid("there is no sound in it"));
    }
    let work = Work { input: path, facts: &facts, outputs: Vec::new(), part: None, ..*work };
    let complaints = &mut Complaints::default();
    let wanted = Wanted { pictures: false, tracks: BTreeSet::from([0]), by_name: false };
    let mut source = source::open(path, sound_decode(&work), &wanted, complaints, stall(&work), work.stop)?;
    let pulse = Pulse::default();
    let heads = Heads::build(&source, &facts, &pulse, Beds::default())?;
    let sound = Sound {
        tracks: Tracks::default(),
        downmix: Downmix::Itu,
        mono: Mono::Stereo,
        channels: Some(2),
        rate: Some(48_000),
        loudness: None,
        coding: None,
        bed: None,
    };
    let prepared = heads.prepare(source.live.pipeline(), &facts, &sound, "F32LE", None)?;
    let kept = work.out_dir.join("bed.f32");
    let mut elements = vec![prepared.from];
    elements.extend(prepared.before);
    elements.push(super::video::file_sink(&kept, &pulse)?);
    chain(source.live.pipeline(), &elements)?;
    source.release()?;
    let watch = Watch { pulse: &pulse, stall: stall(&work), stop: work.stop, done: &|| 0.0, enough: &|| false };
    let outcome = run::to_the_end(&source.live, &watch, complaints, &mut |_| ());
    source.live.close();
    let file = std::fs::File::open(&kept).doing(|| "cannot read decoded sound");
    std::fs::remove_file(&kept).ok();
    outcome?;
    Track::open(file?)
}
