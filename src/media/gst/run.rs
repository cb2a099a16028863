//! Running a pipeline to its end: progress, stop requests, stalls, and GStreamer's errors in plain words. An end of
//! stream is not success; what came out is judged by the caller.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::{
    error::{DISK_FULL, Error, Result},
    stop::Stop,
};

/// A pipeline that is shut down, its threads ended and its files closed, when this is dropped.
pub(super) struct Live {
    pipeline: gst::Pipeline,
    bus: gst::Bus,
    /// Whether it stands still: then its threads may be where nothing reaches them, and waiting for them would be in vain.
    is_stuck: AtomicBool,
}

impl Live {
    pub(super) fn new() -> Self {
        let pipeline = gst::Pipeline::new();
        // Every pipeline has a bus from the start; an own one keeps that from being a promise to check.
        let bus = gst::Bus::new();
        pipeline.set_bus(Some(&bus));
        Self { pipeline, bus, is_stuck: AtomicBool::new(false) }
    }

    pub(super) fn pipeline(&self) -> &gst::Pipeline {
        &self.pipeline
    }

    pub(super) fn bus(&self) -> &gst::Bus {
        &self.bus
    }

    /// Says that it stands still for good.
    pub(super) fn give_up(&self) {
        self.is_stuck.store(true, Ordering::Relaxed);
    }

    /// Changes the state; the reason of a failure is on the bus.
    pub(super) fn set_state(&self, state: gst::State, complaints: &mut Complaints) -> Result<()> {
        if self.pipeline.set_state(state).is_ok() {
            return Ok(());
        }
        while let Some(message) = self.bus.pop() {
            complaints.listen(&message)?;
        }
        Err(Error::internal(format!("GStreamer's pipeline cannot be set to {state:?}")))
    }

    /// Shuts down now: after this all files are complete and closed.
    pub(super) fn close(self) {}
}

impl Drop for Live {
    fn drop(&mut self) {
        self.bus.set_flushing(true);
        if self.is_stuck.load(Ordering::Relaxed) {
            // It ends with the process.
            std::mem::forget(self.pipeline.clone());
            return;
        }
        // Going to NULL cannot fail (GstElement's documentation).
        self.pipeline.set_state(gst::State::Null).ok();
    }
}

/// Counts whatever moves in a pipeline, and knows how far each decoder, encoder and muxer has come. As long as it grows, the
/// pipeline is alive, however slow it is.
#[derive(Clone, Default)]
pub(super) struct Pulse(Arc<Beats>);

#[derive(Default)]
struct Beats {
    count: AtomicU64,
    is_following: AtomicBool,
    places: Mutex<Vec<Place>>,
}

/// A pad that data passes, in words, and the time of the last of it in nanoseconds; `u64::MAX` before there was any.
struct Place {
    what: String,
    last: Arc<AtomicU64>,
}

impl Pulse {
    pub(super) fn beat(&self) {
        self.0.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Beats for each buffer that passes this pad.
    pub(super) fn watch(&self, pad: &gst::Pad) {
        let pulse = self.clone();
        pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, _| {
            pulse.beat();
            gst::PadProbeReturn::Ok
        });
    }

    /// Beats for whatever leaves a decoder or an encoder of this pipeline, or gets into a muxer: while a slow encoder works
    /// off what it holds, or a muxer writes aside, nothing else may move.
    fn follow(&self, pipeline: &gst::Pipeline) {
        if self.0.is_following.swap(true, Ordering::Relaxed) {
            return;
        }
        for element in pipeline.iterate_recurse().into_iter().flatten() {
            let Some(factory) = element.factory() else { continue };
            let class = factory.metadata("klass").unwrap_or_default();
            let is = |word: &str| class.split('/').any(|part| part == word);
            let what = match () {
                () if is("Video") || is("Image") => "pictures",
                () if is("Audio") => "sound",
                () => "data",
            };
            let (pads, way) = match () {
                () if element.is::<gst::Bin>() => continue,
                () if is("Decoder") || is("Encoder") => (element.src_pads(), "from"),
                () if is("Muxer") => (element.sink_pads(), "into"),
                () => continue,
            };
            for pad in pads {
                self.follow_pad(&pad, format!("{what} {way} {}", factory.name()));
            }
        }
    }

    fn follow_pad(&self, pad: &gst::Pad, what: String) {
        let (pulse, last) = (self.clone(), Arc::new(AtomicU64::new(u64::MAX)));
        let place = Place { what, last: last.clone() };
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner).push(place);
        pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |_, info| {
            pulse.beat();
            if let Some(time) = info.buffer().and_then(|b| b.pts().or(b.dts())) {
                last.store(time.nseconds(), Ordering::Relaxed);
            }
            gst::PadProbeReturn::Ok
        });
    }

    pub(super) fn count(&self) -> u64 {
        self.0.count.load(Ordering::Relaxed)
    }

    /// Where everything stands, in words, what is furthest behind first.
    fn places(&self) -> String {
        let places = self.0.places.lock().unwrap_or_else(PoisonError::into_inner);
        // What never came is the most telling.
        let key = |last: u64| if last == u64::MAX { 0 } else { last + 1 };
        let mut all: Vec<(u64, &str)> =
            places.iter().map(|p| (key(p.last.load(Ordering::Relaxed)), p.what.as_str())).collect();
        all.sort_unstable();
        all.dedup();
        let told = all.into_iter().take(6).map(|(at, what)| match at {
            0 => format!("no {what}"),
            at => format!("{what} up to {:.1} s", (at - 1) as f64 / 1e9),
        });
        told.collect::<Vec<_>>().join(", ")
    }

    /// That nothing moved for so long, and where everything stood. It may be the machine's, so another try is worth it.
    pub(super) fn stalled(&self, patience: Duration) -> Error {
        let places = self.places();
        let places = if places.is_empty() { places } else { format!(" (there came {places})") };
        stalled(format!("nothing moved for {} s{places}", patience.as_secs_f64()))
    }
}

/// That a pipeline stands still.
pub(super) fn stalled(how: String) -> Error {
    Error::unavailable(format!("stalled: {how}"))
        .hint("the disk or share that it is read from may hang, or the file makes its decoder hang")
}

/// That nothing more can be written.
fn no_room(how: String) -> Error {
    Error::paused(how).hint(DISK_FULL)
}

/// What elements complain about, and which output each belongs to.
#[derive(Default)]
pub(super) struct Complaints {
    /// The codec, in words, for which there is no decoder.
    missing_codec: Option<String>,
    /// Elements that serve one output alone, with its index.
    owned: Vec<(usize, gst::Element)>,
    /// The output whose element reported the error that [`listen`](Self::listen) gave.
    culprit: Option<usize>,
}

impl Complaints {
    /// Says that an error in any of `elements` is this output's.
    pub(super) fn own(&mut self, output: usize, elements: &[gst::Element]) {
        self.owned.extend(elements.iter().map(|e| (output, e.clone())));
    }

    /// Lays an error that came while an output's branch was built to this output, unless the bus knows better what it
    /// was.
    pub(super) fn blame(&mut self, output: usize, bus: &gst::Bus, error: Error) -> Error {
        let told = std::iter::from_fn(|| bus.pop()).find_map(|m| self.listen(&m).err());
        self.of(output, told.unwrap_or(error))
    }

    /// Lays an error to an output.
    pub(super) fn of(&mut self, output: usize, error: Error) -> Error {
        self.culprit = Some(output);
        error
    }

    /// The output whose own element failed.
    pub(super) fn culprit(&self) -> Option<usize> {
        self.culprit
    }

    /// Takes note of a message; gives an error when it is one.
    pub(super) fn listen(&mut self, message: &gst::Message) -> Result<()> {
        match message.view() {
            gst::MessageView::Element(m) => {
                if let Some(s) = m.structure().filter(|s| s.name() == "missing-plugin") {
                    self.missing_codec = s.get::<String>("name").ok().or(self.missing_codec.take());
                }
                Ok(())
            }
            gst::MessageView::Error(m) => {
                self.culprit = m.src().and_then(|source| {
                    let of = |e: &gst::Element| source == e.upcast_ref::<gst::Object>() || source.has_as_ancestor(e);
                    self.owned.iter().find(|(_, e)| of(e)).map(|(output, _)| *output)
                });
                Err(self.explain(&m.error(), m.src(), m.debug().as_deref()))
            }
            _ => Ok(()),
        }
    }

    /// The codec without decoder, as an error.
    pub(super) fn no_decoder(&self) -> Option<Error> {
        let codec = self.missing_codec.as_deref()?;
        Some(
            Error::unsupported(format!("there is no decoder for {codec} here"))
                .hint("Debian's package gstreamer1.0-libav brings most decoders"),
        )
    }

    fn explain(&self, error: &gst::glib::Error, source: Option<&gst::Object>, debug: Option<&str>) -> Error {
        let place = source.map(|s| s.name().to_string()).unwrap_or_default();
        let place = place.trim_end_matches(|c: char| c.is_ascii_digit());
        let detail = debug.and_then(|d| d.lines().last()).map(|d| d.rsplit("): ").next().unwrap_or(d).trim());
        let text = error.message().trim_end_matches('.');
        let full = match detail {
            Some(d) if !d.is_empty() && !d.starts_with("../") => format!("{place}: {text} ({d})"),
            _ => format!("{place}: {text}"),
        };
        if matches!(error.kind::<gst::CoreError>(), Some(gst::CoreError::MissingPlugin)) {
            return self.no_decoder().unwrap_or_else(|| Error::unsupported(format!("no decoder for it: {full}")));
        }
        if let Some(kind) = error.kind::<gst::ResourceError>() {
            return match kind {
                gst::ResourceError::NoSpaceLeft => no_room(format!("cannot write: {full}")),
                // A muxer's temporary file is its own affair, and gone when it is asked about.
                gst::ResourceError::Write if full.contains("No space left on device") => no_room(full),
                gst::ResourceError::NotFound => Error::not_found(format!("cannot be opened: {full}")),
                gst::ResourceError::Settings => Error::internal(full),
                _ => Error::unavailable(format!("cannot be read or written: {full}")),
            };
        }
        match error.kind::<gst::StreamError>() {
            Some(gst::StreamError::CodecNotFound) => {
                self.no_decoder().unwrap_or_else(|| Error::unsupported(format!("no decoder for it: {full}")))
            }
            Some(gst::StreamError::Encode | gst::StreamError::Mux) => Error::internal(format!("cannot encode: {full}")),
            Some(gst::StreamError::TypeNotFound | gst::StreamError::WrongType) => {
                Error::corrupt(format!("its content is not media, or is damaged: {full}"))
            }
            Some(gst::StreamError::Decrypt | gst::StreamError::DecryptNokey) => {
                Error::unsupported(format!("it is encrypted: {full}"))
            }
            Some(gst::StreamError::Decode) => Error::corrupt(format!("it cannot be decoded: {full}")),
            Some(_) => self.no_decoder().unwrap_or_else(|| Error::corrupt(format!("it cannot be read: {full}"))),
            None => Error::internal(full),
        }
    }
}

/// What ends a run, and what is told meanwhile.
pub(super) struct Watch<'a> {
    pub(super) pulse: &'a Pulse,
    /// Time without a beat after which the pipeline counts as hung.
    pub(super) stall: Duration,
    pub(super) stop: &'a Stop,
    /// What share is done, 0 to 1.
    pub(super) done: &'a dyn Fn() -> f64,
    /// Whether all that is wanted is there before the end.
    pub(super) enough: &'a dyn Fn() -> bool,
}

/// Plays until the end of the stream, or until it is enough.
pub(super) fn to_the_end(
    live: &Live,
    watch: &Watch<'_>,
    complaints: &mut Complaints,
    progress: &mut dyn FnMut(f64),
) -> Result<()> {
    watch.pulse.follow(live.pipeline());
    live.set_state(gst::State::Playing, complaints)?;
    let (mut beats, mut last_beat) = (watch.pulse.count(), Instant::now());
    let (mut told, mut last_told) = (beats, Instant::now());
    loop {
        if let Some(message) = live.bus().timed_pop(gst::ClockTime::from_mseconds(100)) {
            complaints.listen(&message)?;
            if let gst::MessageView::Eos(_) = message.view() {
                return Ok(());
            }
        }
        watch.stop.check()?;
        if (watch.enough)() {
            return Ok(());
        }
        let now = watch.pulse.count();
        if now != beats {
            (beats, last_beat) = (now, Instant::now());
        } else if last_beat.elapsed() > watch.stall {
            live.give_up();
            return Err(watch.pulse.stalled(watch.stall));
        }
        // Whoever listens takes this for a sign of life.
        if beats != told && last_told.elapsed() > Duration::from_millis(500) {
            (told, last_told) = (beats, Instant::now());
            progress((watch.done)().clamp(0.0, 1.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    /// Sixty frames that the encoder takes at once and gives back only when there are no more, each held up for a while.
    fn drains(each_ms: u64) -> Result<()> {
        gst::init().unwrap();
        let live = Live::new();
        let words = format!(
            "videotestsrc num-buffers=60 ! video/x-raw,width=64,height=64,framerate=25/1 ! \
             x264enc rc-lookahead=60 b-adapt=false ! identity sleep-time={} ! fakesink sync=false",
            each_ms * 1000
        );
        live.pipeline().add(&gst::parse::bin_from_description(&words, false).unwrap()).unwrap();
        let watch = Watch {
            pulse: &Pulse::default(),
            stall: Duration::from_millis(700),
            stop: &Stop::new(),
            done: &|| 1.0,
            enough: &|| false,
        };
        to_the_end(&live, &watch, &mut Complaints::default(), &mut |_| ())
    }

    #[test]
    fn a_slow_encoder_that_drains_is_alive() {
        drains(50).unwrap();
    }

    #[test]
    fn what_stands_still_is_told_and_may_be_tried_again() {
        let e = drains(1500).unwrap_err();
        assert_eq!(e.kind(), Kind::Unavailable);
        assert!(e.one_line().contains("nothing moved for 0.7 s (there came pictures from x264enc up to "), "{e:?}");
    }
}
