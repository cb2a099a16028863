//! A film out of its segments: their packets go into the muxer that they would have gone into, beside sound that is encoded
//! here.

use std::path::PathBuf;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::{
    audio,
    branch::{Branch, Building, fit},
    graph::{chain, make, pad, queue},
    path, sound_of, timecode,
    video::{Container, FilmBuilt, Tally, file_sink, one_frame},
};
use crate::{
    error::{Error, Result},
    media::split::{Packet, Reader, Segment, meet},
    profile::{Entry, Film, FilmFormat},
};

/// Where encoders of moving pictures begin their time in GStreamer 1.22, so that times of decoding before it have room.
const ZERO: gst::ClockTime = gst::ClockTime::from_seconds(1000 * 3600);
/// Bytes that wait for the muxer, at most.
const WAITING: u64 = 8 << 20;

impl Building<'_> {
    /// The branch of a film whose pictures are there.
    pub(super) fn joined(
        &mut self,
        index: usize,
        entry: &Entry,
        (film, format): (&Film, FilmFormat),
        lists: &[PathBuf],
    ) -> Result<Branch> {
        let segments = lists.iter().map(|list| Segment::read(list)).collect::<Result<Vec<_>>>()?;
        meet(&segments)?;
        let first = segments.first().ok_or_else(|| Error::internal("a film of no segments"))?;
        if first.size != fit(self.work, entry)? {
            return Err(Error::corrupt("its segments are of another size"));
        }
        let (encoder, size) = (first.encoder.clone(), first.size);
        let caps: gst::Caps = first.caps.parse().map_err(|_| Error::corrupt("segments of an unknown type"))?;
        let facts = self.work.facts.video.as_ref();
        let rate = facts.map_or((0, 1), |f| f.rate);
        let has_sound = film.audio.is_some() && !self.work.facts.audio.is_empty();

        let pipeline = self.source.live.pipeline();
        let source =
            gst_app::AppSrc::builder().format(gst::Format::Time).block(true).max_bytes(WAITING).caps(&caps).build();
        let from = pad(source.upcast_ref(), "src")?;
        begin_at(&from, ZERO);
        let (tally, waiting) = (Tally::default(), queue(0)?);
        // Behind the pad that is told the wrong beginning.
        tally.watch(&pad(&waiting, "sink")?, one_frame(rate));
        self.pulse.watch(&from);
        if let Some(timecode) =
            (format == FilmFormat::QuickTime).then(|| timecode::first(self.work.facts, rate)).flatten()
        {
            timecode::say(&from, timecode);
        }
        let path = path(self.work.out_dir, entry);
        let mux = Container::of(format, &film.video).mux(&path, has_sound)?;
        // By its filter the muxer sees that it is given pictures.
        let filter = make("capsfilter", &[])?;
        filter.set_property("caps", &caps);
        let elements = [source.clone().upcast(), waiting, filter, mux.clone(), file_sink(&path, self.pulse)?];
        chain(pipeline, &elements)?;
        self.complaints.own(index, &elements);
        if has_sound {
            let (coded, _) = self.coded(index, sound_of(self.work.facts, entry)?)?;
            let waiting = audio::into_mux(pipeline, &coded, &mux)?;
            self.complaints.own(index, &waiting);
        }
        let readers = lists.iter().map(|list| Reader::beside(list)).collect::<Result<Vec<_>>>()?;
        feed(source, segments, readers);
        let built = FilmBuilt { elements: elements.to_vec(), mux, tally, size, encoder, part: None };
        Ok(Branch::Film { built, has_sound })
    }
}

/// Has time begin there.
fn begin_at(pad: &gst::Pad, start: gst::ClockTime) {
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(gst::PadProbeData::Event(event)) = &mut info.data
            && event.type_() == gst::EventType::Segment
        {
            let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
            segment.set_start(start);
            *event = gst::event::Segment::builder(&segment).seqnum(event.seqnum()).build();
        }
        gst::PadProbeReturn::Ok
    });
}

/// Hands the packets over, as fast as they are taken, until there are no more or the pipeline is shut down.
fn feed(source: gst_app::AppSrc, segments: Vec<Segment>, readers: Vec<Reader>) {
    std::thread::spawn(move || {
        let mut push = |packet: &Packet, bytes: &[u8]| {
            let at = |time: i64| Some(gst::ClockTime::from_nseconds(ZERO.nseconds().saturating_add_signed(time)));
            let mut buffer = gst::Buffer::from_slice(bytes.to_vec());
            if let Some(buffer) = buffer.get_mut() {
                buffer.set_pts(at(packet.pts));
                buffer.set_dts(at(packet.dts));
                buffer.set_duration(packet.duration.map(gst::ClockTime::from_nseconds));
                if !packet.is_key {
                    buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
                }
            }
            source.push_buffer(buffer).map(drop).map_err(|_| Error::stopped())
        };
        let fed = segments.iter().zip(readers).try_for_each(|(segment, reader)| reader.each(segment, &mut push));
        match fed {
            Ok(()) => drop(source.end_of_stream()),
            Err(e) if e.kind() == crate::error::Kind::Stopped => {}
            // What could not be read is told by the pipeline, like everything that goes wrong in it.
            Err(e) => gst::element_error!(source, gst::ResourceError::Read, ["{}", e.one_line()]),
        }
    });
}
