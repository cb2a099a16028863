//! A brand in a pipeline: what [`brand`](crate::media::brand) does to planes and samples, where they pass.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
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
        Clips, Work,
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

pub(super) fn put_on(finish: &Finish, frame: &mut gst_video::VideoFrameRef<&mut gst::BufferRef>) -> Result<()> {
    if frame.format() != gst_video::VideoFormat::I420 {
        return Err(Error::internal("a brand was given a frame that is not I420"));
    }
    planes(frame, &mut |planes| finish.apply(planes));
    Ok(())
}

/// Hands over the planes of a frame of 4:2:0.
pub(super) fn planes(
    frame: &mut gst_video::VideoFrameRef<&mut gst::BufferRef>,
    change: &mut dyn FnMut(&mut Planes<'_>),
) {
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let strides = [0, 1].map(|plane| frame.plane_stride()[plane] as usize);
    let [luma, cb, cr, _] = frame.planes_data_mut();
    let [luma_stride, chroma_stride] = strides;
    change(&mut Planes { width, height, luma, luma_stride, chroma: [cb, cr], chroma_stride });
}

/// Decoded music, voices and clips' sounds of brands, by the files that they were and their samples a second.
#[derive(Clone, Default)]
pub(super) struct Beds {
    tracks: Vec<(PathBuf, u32, Track)>,
    clips: Clips,
}

/// Samples a second of a sound that does not say.
pub(super) const USUAL_RATE: u32 = 48_000;

impl Beds {
    /// Decodes what these sounds are mixed with, and what comes before and after them.
    pub(super) fn decode(&mut self, work: &Work<'_>, sounds: &[Sound]) -> Result<()> {
        self.clips = work.clips.clone();
        for sound in sounds {
            let rate = sound.rate.unwrap_or(USUAL_RATE);
            if let Some(bed) = &sound.bed {
                // Of music, no more than the film is long, and what a header may be wrong by.
                let most = work.facts.duration_ms.map(|ms| Stretch { from_ms: 0, length_ms: ms + ms / 10 + 2000 });
                if let Some(music) = &bed.music {
                    self.add(work, (&music.file, most), rate)?;
                }
                for voice in bed.narration.iter().filter_map(|n| n.file.as_ref()) {
                    self.add(work, (voice, None), rate)?;
                }
            }
            for piece in sound.around.iter().flat_map(|around| around.intro.iter().chain(&around.outro)) {
                if !work.clips.of(piece)?.audio.is_empty() {
                    self.add(work, (piece, None), rate)?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, work: &Work<'_>, (piece, part): (&Piece, Option<Stretch>), rate: u32) -> Result<()> {
        if self.find(piece, rate).is_none() {
            let name = |e: Error| e.within(format_args!("the brand's {}", piece.path.display()));
            let facts = render::measure(&piece.path, work.stop).map_err(name)?;
            let work = Work { input: &piece.path, facts: &facts, outputs: Vec::new(), part: None, ..*work };
            let track = decoded(&work, rate, part).map_err(name)?;
            self.tracks.push((piece.path.clone(), rate, track));
        }
        Ok(())
    }

    fn find(&self, piece: &Piece, rate: u32) -> Option<Track> {
        let known = self.tracks.iter().find(|(path, of, _)| *path == piece.path && *of == rate);
        known.map(|(.., track)| track.clone())
    }

    /// The sound of a clip; none, where it has none.
    pub(super) fn track_of_clip(&self, piece: &Piece, rate: u32) -> Option<Track> {
        self.find(piece, rate)
    }

    /// How many frames a clip is at a rate.
    pub(super) fn frames(&self, piece: &Piece, rate: (u32, u32)) -> Result<u64> {
        self.clips.frames(piece, rate)
    }

    fn track(&self, piece: &Piece, rate: u32) -> Result<Track> {
        self.find(piece, rate).ok_or_else(|| Error::internal("a brand's sound that was not decoded"))
    }

    /// An element that mixes a brand's sound with the floats that pass it.
    pub(super) fn mixing(&self, bed: &SoundBed, facts: &MediaFacts, rate: u32) -> Result<gst::Element> {
        let music =
            bed.music.as_ref().map(|m| self.track(&m.file, rate).map(|track| (m.clone(), track))).transpose()?;
        let spoken = bed.narration.as_ref().map(|n| {
            let file = n.file.as_ref().ok_or_else(|| Error::invalid("the brand's narration was not spoken before"))?;
            self.track(file, rate).map(|track| (n.clone(), track))
        });
        let narration = spoken.transpose()?;
        let mixer = Mutex::new(Bed::new(music, narration, facts.duration_ms.unwrap_or(0), rate));
        let element = make("identity", &[])?;
        pad(&element, "src")?.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let known = pad.current_caps().and_then(|c| gst_audio::AudioInfo::from_caps(&c).ok());
            let (Some(known), Some(buffer), Ok(mut mixer)) = (known, info.buffer_mut(), mixer.lock()) else {
                return gst::PadProbeReturn::Handled;
            };
            let time = running_time(pad, buffer).unwrap_or(gst::ClockTime::ZERO);
            let at = (u128::from(time.nseconds()) * u128::from(known.rate()) + 500_000_000) / 1_000_000_000;
            let Ok(mut map) = buffer.make_mut().map_writable() else { return gst::PadProbeReturn::Handled };
            let mut samples = level::floats(map.as_slice());
            mixer.mix(at as u64, &mut samples, known.channels() as usize);
            map.as_mut_slice().copy_from_slice(&level::raw(samples.into_iter()));
            gst::PadProbeReturn::Ok
        });
        Ok(element)
    }
}

/// Lets the samples of a part pass, floats of two channels.
fn cut(pad: &gst::Pad, rate: u32, stretch: Stretch, enough: Arc<AtomicBool>) {
    let sample = |ms: u64| ms * u64::from(rate) / 1000;
    let (from, to) = (sample(stretch.from_ms), sample(stretch.from_ms + stretch.length_ms));
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
        let time = running_time(pad, buffer).unwrap_or(gst::ClockTime::ZERO);
        let at = ((u128::from(time.nseconds()) * u128::from(rate) + 500_000_000) / 1_000_000_000) as u64;
        let end = at + buffer.size() as u64 / 8;
        if at >= to {
            // What came before has been written by now.
            enough.store(true, Ordering::Relaxed);
        }
        if end <= from || at >= to {
            return gst::PadProbeReturn::Handled;
        }
        let (skip, keep) = (from.saturating_sub(at) as usize * 8, (end.min(to) - at.max(from)) as usize * 8);
        match buffer.copy_region(gst::BufferCopyFlags::MEMORY | gst::BufferCopyFlags::TIMESTAMPS, skip..skip + keep) {
            Ok(part) => {
                *buffer = part;
                gst::PadProbeReturn::Ok
            }
            Err(_) => gst::PadProbeReturn::Handled,
        }
    });
}

/// A part of a recording.
#[derive(Clone, Copy)]
pub(super) struct Stretch {
    pub(super) from_ms: u64,
    pub(super) length_ms: u64,
}

/// Decodes a file's sound, or a part of it, to floats of two channels at this rate, kept in a file without a name.
pub(super) fn decoded(work: &Work<'_>, rate: u32, stretch: Option<Stretch>) -> Result<Track> {
    let (path, facts) = (work.input, work.facts);
    if facts.audio.is_empty() {
        return Err(Error::invalid("there is no sound in it"));
    }
    let complaints = &mut Complaints::default();
    let wanted = Wanted { pictures: false, tracks: BTreeSet::from([0]), by_name: false };
    let mut source = source::open(path, sound_decode(work), &wanted, complaints, stall(work), work.stop)?;
    let pulse = Pulse::default();
    let heads = Heads::build(&source, facts, &pulse, Beds::default())?;
    let sound = Sound {
        tracks: Tracks::default(),
        downmix: Downmix::Itu,
        mono: Mono::Stereo,
        channels: Some(2),
        rate: Some(rate),
        loudness: None,
        coding: None,
        bed: None,
        around: None,
    };
    let prepared = heads.prepare(source.live.pipeline(), facts, &sound, "F32LE", None)?;
    let kept = tempfile::NamedTempFile::new_in(work.out_dir).doing(|| "cannot keep decoded sound")?;
    let mut elements = vec![prepared.from];
    elements.extend(prepared.before);
    let last = elements[elements.len() - 1].clone();
    elements.push(super::video::file_sink(kept.path(), &pulse)?);
    chain(source.live.pipeline(), &elements)?;
    // Of a part, what is before it is thrown away, and all is done when what is after it comes.
    let enough = Arc::new(AtomicBool::new(false));
    if let Some(stretch) = stretch {
        cut(&pad(&last, "src")?, rate, stretch, enough.clone());
    }
    source.release()?;
    let is_enough = || enough.load(Ordering::Relaxed);
    let watch = Watch { pulse: &pulse, stall: stall(work), stop: work.stop, done: &|| 0.0, enough: &is_enough };
    let outcome = run::to_the_end(&source.live, &watch, complaints, &mut |_| ());
    source.live.close();
    let file = std::fs::File::open(kept.path()).doing(|| "cannot read decoded sound");
    outcome?;
    Track::open(file?)
}
