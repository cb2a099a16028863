//! Clips before and after a film, in the same encode: where its frames and samples pass on their way to an encoder, the clip
//! before it is played first, the film comes later by as much, and the clip after it is played when the film has ended.
//!
//! A film's pictures and sounds end at different times, and what comes after must begin at one. So whoever has ended fills up
//! (the last frame stays, sound is silent) to where the others are, until all have ended: then it begins for all.

use std::sync::{
    Arc, Condvar, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_audio as gst_audio;

use super::{
    brand::Beds,
    graph::{make, pad},
    level,
    showing::{Canvas, Each, Showing, Shown},
};
use crate::{
    error::{Error, Result},
    media::{
        FilmPart, Work,
        brand::{Finish, Track},
    },
    profile::{Around, Brand, Bumper, Dress, Fit},
};

/// Most of what is filled up at once.
const STEP: gst::ClockTime = gst::ClockTime::from_mseconds(100);

/// Where pictures and sounds of one pipeline wait for each other, by what is around them.
#[derive(Clone, Default)]
pub(super) struct Meetings(Arc<Mutex<Vec<(Around, Meeting)>>>);

#[derive(Clone, Default)]
struct Meeting(Arc<(Mutex<Vec<Place>>, Condvar)>);

/// How far somebody has come.
#[derive(Clone, Copy)]
struct Place {
    at: gst::ClockTime,
    has_ended: bool,
}

/// One of those who meet.
struct Seat {
    meeting: Meeting,
    number: usize,
}

impl Meetings {
    fn join(&self, around: &Around) -> Seat {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.iter().find(|(known, _)| known == around).map(|(_, meeting)| meeting.clone());
        let meeting = known.unwrap_or_else(|| {
            let meeting = Meeting::default();
            all.push((around.clone(), meeting.clone()));
            meeting
        });
        let mut places = meeting.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.push(Place { at: gst::ClockTime::ZERO, has_ended: false });
        let number = places.len() - 1;
        drop(places);
        Seat { meeting, number }
    }
}

impl Seat {
    fn tell(&self, at: gst::ClockTime, has_ended: bool) {
        let (places, changed) = &*self.meeting.0;
        places.lock().unwrap_or_else(PoisonError::into_inner)[self.number] = Place { at, has_ended };
        if has_ended {
            changed.notify_all();
        }
    }

    /// How far the furthest is, and whether all have ended. Waits a moment where nothing is to be told.
    fn look(&self, after: gst::ClockTime) -> (gst::ClockTime, bool) {
        let (places, changed) = &*self.meeting.0;
        let mut places = places.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = |places: &Vec<Place>| {
            let furthest = places.iter().map(|p| p.at).max().unwrap_or_default();
            (furthest, places.iter().all(|p| p.has_ended))
        };
        let (furthest, have_ended) = seen(&places);
        if have_ended || furthest > after + STEP {
            return (furthest, have_ended);
        }
        let wait = std::time::Duration::from_millis(20);
        places = changed.wait_timeout(places, wait).unwrap_or_else(PoisonError::into_inner).0;
        seen(&places)
    }
}

/// What is played before and after, and fills up between.
trait Stage: Send {
    /// Hands over the clip before or after, its times counted from 0.
    fn play(&mut self, which: Which, out: &gst::Pad, each: Each<'_>) -> Result<()>;
    /// Hands over what stands for so much more of the film, times counted from 0.
    fn fill(&mut self, span: (gst::ClockTime, gst::ClockTime), out: &gst::Pad, each: Each<'_>) -> Result<()>;
    /// Takes note of what passes.
    fn see(&mut self, buffer: &gst::Buffer);
}

#[derive(Clone, Copy, PartialEq)]
enum Which {
    Intro,
    Outro,
}

/// How much of what passed was the film's own.
#[derive(Clone, Default)]
pub(super) struct Part(Arc<(AtomicU64, AtomicU64)>);

impl Part {
    pub(super) fn told(&self) -> FilmPart {
        let (frames, end) = (self.0.0.load(Ordering::Relaxed), self.0.1.load(Ordering::Relaxed));
        FilmPart { frames, duration_ms: (end + 500_000) / 1_000_000 }
    }
}

struct Splice {
    stage: Box<dyn Stage>,
    grid: Canvas,
    lead: gst::ClockTime,
    has_intro: bool,
    /// Where a clip comes after it.
    seat: Option<Seat>,
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    has_begun: bool,
    /// Where the film has come to, its time counted from 0.
    end: gst::ClockTime,
    part: Part,
}

impl Splice {
    /// An element at which clips are put around what passes.
    fn element(self, name: &str) -> Result<gst::Element> {
        let element = make("identity", &[])?;
        // Unique names have a number behind them: it is taken away where an error is told.
        element.set_property("name", format!("{name}{}", element.name().trim_start_matches("identity")));
        let (into, out) = (pad(&element, "sink")?, pad(&element, "src")?);
        let (state, weak) = (Mutex::new(self), element.downgrade());
        into.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            let mut splice = state.lock().unwrap_or_else(PoisonError::into_inner);
            match splice.pass(info, &out) {
                Ok(answer) => answer,
                Err(e) => {
                    // Whoever shuts the pipeline down knows why.
                    if let Some(element) = weak.upgrade().filter(|_| e.kind() != crate::error::Kind::Stopped) {
                        gst::element_error!(element, gst::StreamError::Failed, ("{}", e.one_line()));
                    }
                    gst::PadProbeReturn::Handled
                }
            }
        });
        Ok(element)
    }

    fn pass(&mut self, info: &mut gst::PadProbeInfo<'_>, out: &gst::Pad) -> Result<gst::PadProbeReturn> {
        if let Some(buffer) = info.buffer_mut() {
            self.begin(out)?;
            let segment = self.segment.as_ref().ok_or_else(|| Error::internal("a buffer of no segment"))?;
            let Some(time) = buffer.pts().and_then(|pts| segment.to_running_time(pts)) else {
                return Ok(gst::PadProbeReturn::Handled);
            };
            self.stage.see(buffer);
            buffer.make_mut().set_pts(time + self.lead);
            let usual = self.grid.time(1);
            self.end = self.end.max(time + buffer.duration().unwrap_or(usual));
            self.part.0.0.fetch_add(1, Ordering::Relaxed);
            self.part.0.1.fetch_max(self.end.nseconds(), Ordering::Relaxed);
            if let Some(seat) = &self.seat {
                seat.tell(self.end, false);
            }
            return Ok(gst::PadProbeReturn::Ok);
        }
        let Some(event) = info.event() else { return Ok(gst::PadProbeReturn::Ok) };
        match event.view() {
            gst::EventView::Segment(segment) => {
                let known = self.segment.is_some();
                self.segment = segment.segment().downcast_ref::<gst::ClockTime>().cloned();
                if known {
                    return Ok(gst::PadProbeReturn::Handled);
                }
                // From here on all counts from the beginning of the clip before it, and has no end yet.
                let open = gst::FormattedSegment::<gst::ClockTime>::new();
                info.data = Some(gst::PadProbeData::Event(gst::event::Segment::new(&open)));
                Ok(gst::PadProbeReturn::Ok)
            }
            gst::EventView::Gap(_) => Ok(gst::PadProbeReturn::Handled),
            gst::EventView::Eos(_) => {
                self.begin(out)?;
                self.finish(out)?;
                Ok(gst::PadProbeReturn::Ok)
            }
            _ => Ok(gst::PadProbeReturn::Ok),
        }
    }

    fn begin(&mut self, out: &gst::Pad) -> Result<()> {
        if std::mem::replace(&mut self.has_begun, true) || !self.has_intro {
            return Ok(());
        }
        self.stage.play(Which::Intro, out, &mut |buffer| push(out, buffer, gst::ClockTime::ZERO))
    }

    fn finish(&mut self, out: &gst::Pad) -> Result<()> {
        let Some(seat) = &self.seat else { return Ok(()) };
        let (mut at, lead) = (self.end, self.lead);
        seat.tell(at, true);
        loop {
            let (furthest, have_ended) = seat.look(at);
            let to = if have_ended { self.grid.time(self.grid.frame_from(furthest)) } else { furthest };
            if to > at && (have_ended || to > at + STEP) {
                self.stage.fill((at, to), out, &mut |buffer| push(out, buffer, lead))?;
                at = to;
            }
            if have_ended {
                break;
            }
            // While the pipeline is shut down, nobody else will come.
            if out.pad_flags().contains(gst::PadFlags::FLUSHING) {
                return Err(Error::stopped());
            }
        }
        let begins = lead + self.grid.time(self.grid.frame_from(at));
        self.stage.play(Which::Outro, out, &mut |buffer| push(out, buffer, begins))
    }
}

fn push(out: &gst::Pad, mut buffer: gst::Buffer, later: gst::ClockTime) -> Result<()> {
    let pts = buffer.pts().unwrap_or_default() + later;
    buffer.make_mut().set_pts(pts);
    // A refusal means that the branch is being shut down, or has failed and said so.
    out.push(buffer).map(drop).map_err(|_| Error::stopped())
}

/// The clips around a film's pictures.
struct Pictures {
    intro: Option<Showing>,
    outro: Option<Showing>,
    grid: Canvas,
    last: Option<gst::Buffer>,
}

impl Stage for Pictures {
    fn play(&mut self, which: Which, _: &gst::Pad, each: Each<'_>) -> Result<()> {
        let clip = if which == Which::Intro { &self.intro } else { &self.outro };
        clip.as_ref().map_or(Ok(()), |clip| clip.play(each))
    }

    fn fill(&mut self, (from, to): (gst::ClockTime, gst::ClockTime), _: &gst::Pad, each: Each<'_>) -> Result<()> {
        let Some(last) = &self.last else { return Ok(()) };
        for number in self.grid.frame_from(from)..self.grid.frame_from(to) {
            let mut frame = last.clone();
            let (at, next) = (self.grid.time(number), self.grid.time(number + 1));
            let writable = frame.make_mut();
            writable.set_pts(at);
            writable.set_duration(next - at);
            each(frame)?;
        }
        Ok(())
    }

    fn see(&mut self, buffer: &gst::Buffer) {
        self.last = Some(buffer.clone());
    }
}

/// The element at which the clips of a brand are put around pictures that are finished but for the encoder, and what counts the
/// film's own.
pub(super) fn pictures(
    brand: &Brand,
    around: &Around,
    size: (u32, u32),
    (work, meetings): (&Work<'_>, &Meetings),
) -> Result<(gst::Element, Part)> {
    let grid = Canvas { size, rate: around.rate, fit: Fit::Contain, background: brand.background() };
    let showing = |clip: &Option<Bumper>| -> Result<Option<Showing>> {
        let Some(clip) = clip else { return Ok(None) };
        let finish = match clip.dress {
            Dress::None => None,
            Dress::Film => Some(Arc::new(Finish::new(brand, size)?)).filter(|f| !f.is_empty()),
        };
        Ok(Some(Showing {
            shown: Shown::Film {
                path: clip.file.path.clone(),
                facts: Box::new(work.clips.of(&clip.file)?.clone()),
                from: None,
            },
            frames: work.clips.frames(&clip.file, around.rate)?,
            canvas: Canvas { fit: clip.fit.unwrap_or_default(), ..grid },
            finish,
            limits: work.limits.clone(),
            stop: work.stop.clone(),
        }))
    };
    let stage = Pictures { intro: showing(&brand.intro)?, outro: showing(&brand.outro)?, grid, last: None };
    let lead = stage.intro.as_ref().map_or(gst::ClockTime::ZERO, |clip| grid.time(clip.frames));
    spliced(Box::new(stage), around, (grid, lead), meetings)
}

fn spliced(
    stage: Box<dyn Stage>,
    around: &Around,
    (grid, lead): (Canvas, gst::ClockTime),
    meetings: &Meetings,
) -> Result<(gst::Element, Part)> {
    let part = Part::default();
    let splice = Splice {
        stage,
        grid,
        lead,
        has_intro: around.intro.is_some(),
        seat: around.outro.as_ref().map(|_| meetings.join(around)),
        segment: None,
        has_begun: false,
        end: gst::ClockTime::ZERO,
        part: part.clone(),
    };
    Ok((splice.element("clips")?, part))
}

/// The clips around a film's sound: floats, interleaved.
struct Sounds {
    intro: Option<Heard>,
    outro: Option<Heard>,
    rate: u32,
}

/// A clip's sound; none: it is silent. And how long it is.
struct Heard {
    track: Option<Track>,
    length: gst::ClockTime,
}

impl Sounds {
    /// So many samples of a track from its start on, or silence, counted from a time.
    fn give(
        &self,
        track: Option<&Track>,
        (from, to): (gst::ClockTime, gst::ClockTime),
        out: &gst::Pad,
        each: Each<'_>,
    ) -> Result<()> {
        let info = out.current_caps().and_then(|c| gst_audio::AudioInfo::from_caps(&c).ok());
        let info = info.ok_or_else(|| Error::internal("sound of an unknown kind"))?;
        let channels = info.channels() as usize;
        let samples = |time: gst::ClockTime| {
            ((u128::from(time.nseconds()) * u128::from(self.rate) + 500_000_000) / 1_000_000_000) as u64
        };
        let time = |sample: u64| {
            gst::ClockTime::from_nseconds((u128::from(sample) * 1_000_000_000 / u128::from(self.rate)) as u64)
        };
        let (first, end) = (samples(from), samples(to));
        let mut at = first;
        while at < end {
            let count = (end - at).min(1024);
            let mut both = vec![[0.0_f32; 2]; count as usize];
            if let Some(track) = track {
                track.read(at - first, false, &mut both);
            }
            let floats = both.iter().flat_map(|[left, right]| {
                (0..channels).map(move |channel| match (channels, channel) {
                    (1, _) => (left + right) / 2.0,
                    (_, 0) => *left,
                    (_, 1) => *right,
                    _ => 0.0,
                })
            });
            let mut buffer = gst::Buffer::from_mut_slice(level::raw(floats));
            if let Some(writable) = buffer.get_mut() {
                writable.set_pts(time(at));
                writable.set_duration(time(at + count) - time(at));
            }
            each(buffer)?;
            at += count;
        }
        Ok(())
    }
}

impl Stage for Sounds {
    fn play(&mut self, which: Which, out: &gst::Pad, each: Each<'_>) -> Result<()> {
        let clip = if which == Which::Intro { &self.intro } else { &self.outro };
        let Some(clip) = clip else { return Ok(()) };
        self.give(clip.track.as_ref(), (gst::ClockTime::ZERO, clip.length), out, each)
    }

    fn fill(&mut self, span: (gst::ClockTime, gst::ClockTime), out: &gst::Pad, each: Each<'_>) -> Result<()> {
        self.give(None, span, out, each)
    }

    fn see(&mut self, _: &gst::Buffer) {}
}

/// The element at which the sound of clips is put around a film's sound of this rate.
pub(super) fn sounds(around: &Around, rate: u32, beds: &Beds, meetings: &Meetings) -> Result<gst::Element> {
    let grid = Canvas { size: (2, 2), rate: around.rate, fit: Fit::Contain, background: [0; 3] };
    let heard = |piece: &Option<crate::profile::Piece>| -> Result<Option<Heard>> {
        let Some(piece) = piece else { return Ok(None) };
        let frames = beds.frames(piece, around.rate)?;
        Ok(Some(Heard { track: beds.track_of_clip(piece, rate), length: grid.time(frames) }))
    };
    let (intro, outro) = (heard(&around.intro)?, heard(&around.outro)?);
    let lead = intro.as_ref().map_or(gst::ClockTime::ZERO, |clip| clip.length);
    let stage = Sounds { intro, outro, rate };
    spliced(Box::new(stage), around, (grid, lead), meetings).map(|(element, _)| element)
}
