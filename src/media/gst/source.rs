//! Opening a master: a pipeline in which `uridecodebin` decodes it, halted at its first buffers until branches are
//! built for the streams that are really there. A branch without a stream would wait for it forever.
//!
//! Its successor, `uridecodebin3`, is no choice with GStreamer 1.22: on a busy machine it never shows any stream of about
//! one short file in a hundred, and so would have sound masters called corrupt.

use std::{
    collections::BTreeSet,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use gstreamer as gst;
use gstreamer::prelude::*;

use super::{
    graph, reel,
    run::{self, Complaints, Live},
    unseen::Unseen,
};
use crate::{
    error::{Doing, Error, Result},
    model::MediaFacts,
    stop::Stop,
};

/// How the decoders are to be set up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Decode {
    /// All of it: as many threads as the decoders like.
    Everything,
    /// A few frames: starting more than two decoder threads costs more than they bring.
    FewFrames,
    /// All of it, read from front to back without seeking. Where it may seek, GStreamer 1.22's reader of WAV looks
    /// behind the samples for more, and gives up on all when their number of bytes is odd, as in half of all
    /// recordings of one channel of 24 bits.
    Forward,
    /// It is a reel, described by its file.
    Reel,
}

/// A pad of the decoder, halted.
pub(super) struct Exposed {
    pad: gst::Pad,
    block: gst::PadProbeId,
}

impl Exposed {
    pub(super) fn halted(pad: &gst::Pad) -> Option<Self> {
        halt(pad).map(|block| Self { pad: pad.clone(), block })
    }

    pub(super) fn pad(&self) -> &gst::Pad {
        &self.pad
    }
}

/// The first picture and the wanted sounds, each halted at its first buffer.
pub(super) struct Source {
    pub(super) live: Live,
    pub(super) video: Option<gst::Pad>,
    /// Each with the number of its track, from 0.
    pub(super) sounds: Vec<(usize, gst::Pad)>,
    /// What is left out before the decoder of a few frames.
    pub(super) unseen: Unseen,
    exposed: Vec<Exposed>,
}

#[derive(Default)]
struct Arrivals {
    pads: Vec<Exposed>,
    /// Whether the decoder has shown all streams.
    complete: bool,
    /// After the branches are built, later streams are thrown away.
    closed: bool,
}

/// What is to be decoded.
pub(super) struct Wanted {
    /// Without, video is not.
    pub(super) pictures: bool,
    /// Of the sound, the tracks of these numbers, from 0.
    pub(super) tracks: BTreeSet<usize>,
    /// Whether the tracks' order is that of their streams' names: MXF's come last first.
    pub(super) by_name: bool,
}

/// Opens `input` and waits until its streams are known.
pub(super) fn open(
    input: &Path,
    decode: Decode,
    wanted: &Wanted,
    complaints: &mut Complaints,
    patience: Duration,
    stop: &Stop,
) -> Result<Source> {
    if decode == Decode::Reel {
        return reel::open(input, wanted, complaints, patience, stop);
    }
    let path = std::path::absolute(input).doing(|| format!("cannot find {}", input.display()))?;
    let uri = gst::glib::filename_to_uri(&path, None)
        .map_err(|e| Error::invalid(format!("no URI can be made of {}", path.display())).because(e))?;
    let uri = if decode == Decode::Forward { format!("push{uri}") } else { uri.to_string() };
    let live = Live::new();
    let decoder = graph::make("uridecodebin", &[("uri", &uri)])?;
    live.pipeline().add(&decoder).map_err(|e| graph::cannot_build(&e))?;
    let order = decode_sounds(&decoder, wanted.tracks.clone());
    choose(&decoder, wanted.pictures);
    let unseen = Unseen::default();
    if decode == Decode::FewFrames {
        let unseen = unseen.clone();
        live.pipeline().connect_deep_element_added(move |_, _, element| {
            if element.find_property("max-threads").is_some() {
                element.set_property_from_str("max-threads", "2");
            }
            if element.factory().is_some_and(|factory| decodes_pictures(&factory)) {
                unseen.watch(element);
            }
        });
    }
    let arrivals = Arc::new(Mutex::new(Arrivals::default()));
    let (seen, weak) = (arrivals.clone(), live.pipeline().downgrade());
    decoder.connect_pad_added(move |_, pad| {
        let Some(pipeline) = weak.upgrade() else { return };
        let mut arrivals = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !arrivals.closed && (holds(pad, "video/x-raw") || holds(pad, "audio/x-raw")) {
            arrivals.pads.extend(Exposed::halted(pad));
        } else if decode != Decode::FewFrames {
            // An error here shows as "not-linked" on the bus. Where a few frames are wanted, the demuxer hears that nobody takes
            // this one: thrown away, it would be read on, and the pictures with it, for as long as the first of them are decoded.
            graph::discard(&pipeline, pad).ok();
        }
    });
    let seen = arrivals.clone();
    decoder.connect_no_more_pads(move |decoder| {
        seen.lock().unwrap_or_else(PoisonError::into_inner).complete = true;
        // Wakes whoever waits at the bus; without one, nobody does.
        let complete = gst::Structure::new_empty("complete");
        decoder.post_message(gst::message::Application::new(complete)).ok();
    });
    live.set_state(gst::State::Paused, complaints)?;
    wait(&live, input, &arrivals, complaints, patience, stop)?;

    let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
    arrivals.closed = true;
    let exposed = std::mem::take(&mut arrivals.pads);
    let of = |media: &'static str| exposed.iter().map(|e| e.pad.clone()).filter(move |p| holds(p, media));
    let mut order = order.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if wanted.by_name {
        order.sort();
    }
    let number = |pad: &gst::Pad| order.iter().position(|id| Some(id) == pad.stream_id().as_ref());
    let sounds = match wanted.tracks.len() == 1 && wanted.tracks.contains(&0) {
        // Whatever the first one is called, it is the first.
        true => of("audio/x-raw").next().map(|pad| (0, pad)).into_iter().collect(),
        false => of("audio/x-raw").filter_map(|pad| Some((number(&pad)?, pad))).collect(),
    };
    let sounds = Vec::into_iter(sounds).filter(|(number, _)| wanted.tracks.contains(number)).collect();
    Ok(Source { video: of("video/x-raw").next(), sounds, unseen, exposed, live })
}

/// Whether a pad carries this media type.
fn holds(pad: &gst::Pad, media: &str) -> bool {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    caps.structure(0).is_some_and(|s| s.name() == media)
}

/// Tells the decoder which elements not to use. Without `pictures` it shows video as it is coded, which is thrown away at no
/// cost. Of JPEG 2000 in QuickTime, `avdec_jpeg2000` alone reads every kind: GStreamer 1.22's parser stumbles over the
/// length before each picture, which QuickTime writes in the other byte order, and its own decoder over what the
/// demuxer leaves unsaid.
fn choose(decoder: &gst::Element, pictures: bool) {
    const TRY: i32 = 0;
    const EXPOSE: i32 = 1;
    const SKIP: i32 = 2;
    decoder.connect("autoplug-select", false, move |values| {
        let caps = values.get(2).and_then(|v| v.get::<gst::Caps>().ok());
        let in_quicktime = caps.is_some_and(|c| c.structure(0).is_some_and(|s| s.name() == "image/x-j2c"));
        let choice = match values.get(3).and_then(|v| v.get::<gst::ElementFactory>().ok()) {
            Some(factory) if !pictures && decodes_pictures(&factory) => EXPOSE,
            Some(factory) if in_quicktime && ["jpeg2000parse", "openjpegdec"].contains(&factory.name().as_str()) => {
                SKIP
            }
            _ => TRY,
        };
        let answer = gst::glib::Type::from_name("GstAutoplugSelectResult").and_then(gst::glib::EnumClass::with_type)?;
        answer.to_value(choice)
    });
}

fn decodes_pictures(factory: &gst::ElementFactory) -> bool {
    let class = factory.metadata("klass").unwrap_or_default();
    class.contains("Decoder") && (class.contains("Video") || class.contains("Image"))
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

/// Leaves every compressed sound undecoded that is not wanted: they are thrown away anyhow. Gives the streams of sound in
/// the order in which the demuxer shows them, which is the file's.
fn decode_sounds(decoder: &gst::Element, tracks: BTreeSet<usize>) -> Arc<Mutex<Vec<gst::glib::GString>>> {
    let order = Arc::new(Mutex::new(Vec::<gst::glib::GString>::new()));
    let seen = order.clone();
    decoder.connect("autoplug-continue", false, move |values| {
        let pad = values.get(1).and_then(|v| v.get::<gst::Pad>().ok());
        let caps = values.get(2).and_then(|v| v.get::<gst::Caps>().ok());
        let name = caps.as_ref().and_then(|c| c.structure(0)).map(|s| s.name().to_string()).unwrap_or_default();
        let goes_on = match pad.and_then(|p| p.stream_id()) {
            Some(id) if name.starts_with("audio/") && !SOUND_FILES.contains(&name.as_str()) => {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                let number = seen.iter().position(|known| *known == id).unwrap_or_else(|| {
                    seen.push(id);
                    seen.len() - 1
                });
                // What looks like a track may be the file itself, so that of the first nothing is left out where sound is wanted.
                tracks.contains(&number) || (number == 0 && !tracks.is_empty())
            }
            _ => true,
        };
        Some(goes_on.into())
    });
    order
}

impl Source {
    /// Of pads that are halted.
    pub(super) fn of(
        live: Live,
        video: Option<gst::Pad>,
        sounds: Vec<(usize, gst::Pad)>,
        exposed: Vec<Exposed>,
    ) -> Self {
        Self { live, video, sounds, unseen: Unseen::default(), exposed }
    }

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
        // What was added beside the recording, and held back.
        for element in self.live.pipeline().children().iter().filter(|e| e.is_locked_state()) {
            element.set_locked_state(false);
            element.sync_state_with_parent().map_err(|e| graph::cannot_build(&e))?;
        }
        Ok(())
    }
}

/// An error when a stream that was probed, and that an output needs, has no decoder or could not be decoded at all.
pub(super) fn missing_stream(
    source: &Source,
    facts: &MediaFacts,
    pictures: bool,
    tracks: &BTreeSet<usize>,
    complaints: &Complaints,
) -> Result<()> {
    let picture_missing = pictures && source.video.is_none();
    let absent = tracks.iter().find(|track| !source.sounds.iter().any(|(there, _)| there == *track));
    let sound_missing = absent.is_some();
    if !picture_missing && !sound_missing {
        return Ok(());
    }
    let (what, codec) = match &facts.video {
        Some(video) if picture_missing => ("pictures", video.codec.as_str()),
        _ => ("sound", facts.audio.get(*absent.unwrap_or(&0)).map_or("unknown", |a| a.codec.as_str())),
    };
    Err(complaints.no_decoder().unwrap_or_else(|| Error::corrupt(format!("its {what} ({codec}) cannot be decoded"))))
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

/// Whether a file is one, and its beginning and its end can be read at once.
fn can_be_read(path: &Path) -> bool {
    let (path, (tell, told)) = (path.to_owned(), std::sync::mpsc::channel());
    // On a thread of its own, which is left behind where a share has gone away.
    std::thread::spawn(move || {
        let read = || -> std::io::Result<bool> {
            let meta = std::fs::metadata(&path)?;
            if !meta.is_file() {
                return Ok(false);
            }
            let (file, mut block) = (std::fs::File::open(&path)?, [0; 4096]);
            file.read_at(&mut block, 0)?;
            file.read_at(&mut block, meta.len().saturating_sub(4096))?;
            Ok(true)
        };
        tell.send(read().unwrap_or(false)).ok();
    });
    told.recv_timeout(Duration::from_secs(1)).unwrap_or(false)
}

fn wait(
    live: &Live,
    input: &Path,
    arrivals: &Mutex<Arrivals>,
    complaints: &mut Complaints,
    patience: Duration,
    stop: &Stop,
) -> Result<()> {
    let started = Instant::now();
    loop {
        stop.check()?;
        if let Some(message) = live.bus().timed_pop(gst::ClockTime::from_mseconds(10)) {
            complaints.listen(&message)?;
        }
        let arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if arrivals.complete {
            return Ok(());
        }
        if started.elapsed() > patience {
            return match arrivals.pads.len() {
                0 => {
                    live.give_up();
                    let why = format!("no stream of it could be decoded within {} s", patience.as_secs());
                    // Where the file itself answers, it is the file that is wrong.
                    Err(if can_be_read(input) { Error::corrupt(why) } else { run::stalled(why) })
                }
                _ => Ok(()),
            };
        }
    }
}
