//! Opening a master: a pipeline in which `uridecodebin3` decodes it, halted at its first buffers until branches are
//! built for the streams that are really there. A branch without a stream would wait for it forever.

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
    /// After the branches are built, later streams are thrown away.
    closed: bool,
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
    let decoder = graph::make("uridecodebin3", &[("uri", &uri)])?;
    live.pipeline().add(&decoder).map_err(|e| graph::cannot_build(&e))?;
    if decode == Decode::FewFrames {
        live.pipeline().connect_deep_element_added(|_, _, element| {
            if element.find_property("max-threads").is_some() {
                element.set_property_from_str("max-threads", "1");
            }
        });
    }
    let arrivals = Arc::new(Mutex::new(Arrivals::default()));
    let (seen, weak) = (arrivals.clone(), live.pipeline().downgrade());
    decoder.connect_pad_added(move |_, pad| {
        let Some(pipeline) = weak.upgrade() else { return };
        let mut arrivals = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = pad.name().starts_with("video") || pad.name().starts_with("audio");
        if wanted && !arrivals.closed {
            if let Some(block) = halt(pad) {
                arrivals.pads.push(Exposed { pad: pad.clone(), block });
            }
        } else {
            // An error here shows as "not-linked" on the bus.
            graph::discard(&pipeline, pad).ok();
        }
    });
    live.set_state(gst::State::Paused, complaints)?;
    wait(&live, &arrivals, pictures, complaints, patience, stop)?;

    let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
    arrivals.closed = true;
    let exposed = std::mem::take(&mut arrivals.pads);
    let first = |kind: &str| exposed.iter().map(|e| e.pad.clone()).find(|p| p.name().starts_with(kind));
    Ok(Source { video: first("video"), audio: first("audio"), exposed, live })
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
    let mut selected: Option<(usize, Instant)> = None;
    loop {
        stop.check()?;
        if let Some(message) = live.bus().timed_pop(gst::ClockTime::from_mseconds(20)) {
            complaints.listen(&message)?;
            if let gst::MessageView::StreamsSelected(m) = message.view() {
                let wanted = gst::StreamType::VIDEO | gst::StreamType::AUDIO;
                let streams = m.streams().filter(|s| s.stream_type().intersects(wanted)).count();
                selected = Some((streams, Instant::now()));
            }
        }
        let (pads, formats_known) = {
            let arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
            let mut video = arrivals.pads.iter().filter(|e| e.pad.name().starts_with("video"));
            (arrivals.pads.len(), !pictures || video.next().is_some_and(|e| e.pad.current_caps().is_some()))
        };
        match selected {
            Some((streams, _)) if pads >= streams && formats_known => return Ok(()),
            // A stream whose decoder fails at once is selected but never shows up.
            Some((_, when)) if pads > 0 && formats_known && when.elapsed() > Duration::from_secs(2) => return Ok(()),
            _ if started.elapsed() > patience => {
                return match pads {
                    0 => Err(Error::corrupt(format!(
                        "stalled: no stream of it could be decoded within {} s",
                        patience.as_secs()
                    ))),
                    _ => Ok(()),
                };
            }
            _ => {}
        }
    }
}
