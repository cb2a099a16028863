//! Opening a master: a pipeline in which `uridecodebin` decodes it, halted at its first buffers until branches are
//! built for the streams that are really there. A branch without a stream would wait for it forever.
//!
//! Not `uridecodebin3`: in GStreamer 1.22 its two inputs can block each other when the streams of a file begin at the
//! same moment on two threads. On a busy machine a DV tape hung there in one of four tries.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use gstreamer as gst;
use gstreamer::prelude::*;

use super::{
    graph,
    run::{Complaints, Live},
};
use crate::{
    error::{Doing, Error, Result},
    stop::Stop,
};

/// How the decoders are to be set up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Decode {
    /// All of it: as many threads as the decoders like.
    Everything,
    /// A few frames: starting many decoder threads costs more than they bring.
    FewFrames,
}

/// A pad of the decoder, halted.
struct Exposed {
    pad: gst::Pad,
    block: gst::PadProbeId,
}

/// The first picture and the first sound, each halted at its first buffer.
pub(super) struct Source {
    pub(super) live: Live,
    pub(super) video: Option<gst::Pad>,
    pub(super) audio: Option<gst::Pad>,
    exposed: Vec<Exposed>,
}

#[derive(Default)]
struct Arrivals {
    pads: Vec<Exposed>,
    /// The decoder has said that there are no more.
    complete: bool,
    /// After the branches are built, later streams are thrown away.
    closed: bool,
}

impl Exposed {
    /// Whether raw pictures (`video`) or raw sound (`audio`) come out of it.
    fn is(&self, kind: &str) -> bool {
        is_raw(&self.pad, kind)
    }
}

fn is_raw(pad: &gst::Pad, kind: &str) -> bool {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    caps.structure(0).is_some_and(|s| s.name().strip_suffix("/x-raw") == Some(kind))
}

/// Opens `input` and waits until its streams are known; `pictures` says whether a video stream is expected, whose
/// format is then waited for as well.
pub(super) fn open(
    input: &Path,
    decode: Decode,
    pictures: bool,
    complaints: &mut Complaints,
    patience: Duration,
    stop: &Stop,
) -> Result<Source> {
    let path = std::path::absolute(input).doing(|| format!("cannot find {}", input.display()))?;
    let uri = gst::glib::filename_to_uri(&path, None)
        .map_err(|e| Error::invalid(format!("no URI can be made of {}", path.display())).because(e))?;
    let live = Live::new();
    let decoder = graph::make("uridecodebin", &[("uri", &uri)])?;
    live.pipeline().add(&decoder).map_err(|e| graph::cannot_build(&e))?;
    if decode == Decode::FewFrames {
        live.pipeline().connect_deep_element_added(|_, _, element| {
            if element.find_property("max-threads").is_some() {
                element.set_property_from_str("max-threads", "1");
            }
        });
    }
    decode_one_sound(&decoder);
    let arrivals = Arc::new(Mutex::new(Arrivals::default()));
    let (seen, weak) = (arrivals.clone(), live.pipeline().downgrade());
    decoder.connect_pad_added(move |_, pad| {
        let Some(pipeline) = weak.upgrade() else { return };
        let mut arrivals = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !arrivals.closed && (is_raw(pad, "video") || is_raw(pad, "audio")) {
            if let Some(block) = halt(pad) {
                arrivals.pads.push(Exposed { pad: pad.clone(), block });
            }
        } else {
            // An error here shows as "not-linked" on the bus.
            graph::discard(&pipeline, pad).ok();
        }
    });
    let seen = arrivals.clone();
    decoder.connect_no_more_pads(move |_| seen.lock().unwrap_or_else(PoisonError::into_inner).complete = true);
    live.set_state(gst::State::Paused, complaints)?;
    wait(&live, &arrivals, pictures, complaints, patience, stop)?;

    let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
    arrivals.closed = true;
    let exposed = std::mem::take(&mut arrivals.pads);
    let first = |kind: &str| exposed.iter().find(|e| e.is(kind)).map(|e| e.pad.clone());
    Ok(Source { video: first("video"), audio: first("audio"), exposed, live })
}

/// Types under which whole files of sound go, before a demuxer has opened them.
const SOUND_FILES: [&str; 8] = [
    "audio/x-m4a",
    "audio/x-wav",
    "audio/x-aiff",
    "audio/x-caf",
    "audio/x-ms-wax",
    "audio/ogg",
    "audio/webm",
    "audio/x-matroska",
];

/// Leaves every compressed sound after the first undecoded: they are thrown away anyhow.
fn decode_one_sound(decoder: &gst::Element) {
    let first: Mutex<Option<gst::glib::GString>> = Mutex::new(None);
    decoder.connect("autoplug-continue", false, move |values| {
        let pad = values.get(1).and_then(|v| v.get::<gst::Pad>().ok());
        let caps = values.get(2).and_then(|v| v.get::<gst::Caps>().ok());
        let name = caps.as_ref().and_then(|c| c.structure(0)).map(|s| s.name().to_string()).unwrap_or_default();
        let goes_on = match pad.and_then(|p| p.stream_id()) {
            Some(id) if name.starts_with("audio/") && !SOUND_FILES.contains(&name.as_str()) => {
                *first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| id.clone()) == id
            }
            _ => true,
        };
        Some(goes_on.into())
    });
}

impl Source {
    /// Lets the data flow; what has no branch by now is thrown away.
    pub(super) fn release(&mut self) -> Result<()> {
        for Exposed { pad, .. } in &self.exposed {
            if !pad.is_linked() {
                graph::discard(self.live.pipeline(), pad)?;
            }
        }
        for Exposed { pad, block } in self.exposed.drain(..) {
            pad.remove_probe(block);
        }
        Ok(())
    }
}

/// Holds back data, gaps and the end, but lets the events pass that say what the stream is.
fn halt(pad: &gst::Pad) -> Option<gst::PadProbeId> {
    let mask = gst::PadProbeType::BLOCK
        | gst::PadProbeType::BUFFER
        | gst::PadProbeType::BUFFER_LIST
        | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(mask, |_, info| match info.event().map(|e| e.type_()) {
        Some(gst::EventType::Eos | gst::EventType::Gap) | None => gst::PadProbeReturn::Ok,
        Some(_) => gst::PadProbeReturn::Pass,
    })
}

fn wait(
    live: &Live,
    arrivals: &Mutex<Arrivals>,
    pictures: bool,
    complaints: &mut Complaints,
    patience: Duration,
    stop: &Stop,
) -> Result<()> {
    let started = Instant::now();
    loop {
        stop.check()?;
        if let Some(message) = live.bus().timed_pop(gst::ClockTime::from_mseconds(20)) {
            complaints.listen(&message)?;
        }
        let arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        let mut video = arrivals.pads.iter().filter(|e| e.is("video"));
        let formats_known = !pictures || video.next().is_none_or(|e| e.pad.current_caps().is_some());
        if arrivals.complete && formats_known {
            return Ok(());
        }
        if started.elapsed() > patience {
            return Err(Error::corrupt(format!(
                "stalled: not all streams of it could be opened within {} s",
                patience.as_secs()
            )));
        }
    }
}
