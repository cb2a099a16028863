//! What outputs of one pipeline share beside the decode: frames of one size, and the packets of one encode. Nothing that
//! comes out depends on it.

use std::cell::RefCell;

use gstreamer as gst;

use super::{
    encoder::{Job, Packets, Pass},
    graph::{chain, queue, tee},
    video::{Framing, Pace, Tally},
};
use crate::{error::Result, profile::VideoTrack};

/// What is there so far.
#[derive(Default)]
pub(super) struct Shared {
    frames: RefCell<Vec<(Frames, gst::Element)>>,
    encoded: RefCell<Vec<(Encode, Encoded)>>,
}

/// In what frames of one master may differ before anything is put on them.
#[derive(Clone, Debug, PartialEq)]
struct Frames {
    size: (u32, u32),
    background: [u8; 3],
    depth: u8,
    pace: Pace,
    keeps_hdr: bool,
}

/// In what encodes of one master may differ.
#[derive(Debug, PartialEq)]
pub(super) struct Encode {
    frames: Frames,
    track: VideoTrack,
    rate: (u32, u32),
    packets: Packets,
    aligned: bool,
}

impl Encode {
    /// Of frames that nothing is put on, in one pass.
    pub(super) fn new(framing: &Framing<'_>, job: &Job<'_>) -> Option<Self> {
        // Where keyframes are, the job knows: those of a stream's rungs are even without a word.
        let track = VideoTrack { keyframes: None, ..job.track.clone() };
        let (rate, packets, aligned) = (job.rate, job.packets, job.aligned);
        (job.pass == Pass::Only).then(|| Self { frames: Frames::of(framing), track, rate, packets, aligned })
    }
}

/// An encode that further muxers can be linked to.
#[derive(Clone)]
pub(super) struct Encoded {
    pub(super) tee: gst::Element,
    pub(super) tally: Tally,
    pub(super) encoder: String,
}

impl Frames {
    fn of(framing: &Framing<'_>) -> Self {
        let Framing { size, background, depth, pace, keeps_hdr, .. } = *framing;
        Self { size, background, depth, pace, keeps_hdr }
    }
}

impl Shared {
    /// Where frames come from that are upright, of the right size and colors, and the elements that are new to the
    /// pipeline for it; `decoded` is where they are decoded.
    pub(super) fn frames(
        &self,
        pipeline: &gst::Pipeline,
        decoded: &gst::Element,
        framing: &Framing<'_>,
    ) -> Result<(gst::Element, Vec<gst::Element>)> {
        let wanted = Frames::of(framing);
        let mut all = self.frames.borrow_mut();
        if let Some((_, tee)) = all.iter().find(|(frames, _)| *frames == wanted) {
            // On a thread of its own, beside whoever wanted them first.
            let waiting = queue(4)?;
            chain(pipeline, &[tee.clone(), waiting.clone()])?;
            return Ok((waiting.clone(), vec![waiting]));
        }
        let tee = tee()?;
        let mut elements = framing.elements()?;
        elements.push(tee.clone());
        chain(pipeline, &[std::slice::from_ref(decoded), &elements].concat())?;
        all.push((wanted, tee.clone()));
        Ok((tee, elements))
    }

    pub(super) fn encoded(&self, wanted: &Encode) -> Option<Encoded> {
        self.encoded.borrow().iter().find(|(encode, _)| encode == wanted).map(|(_, encoded)| encoded.clone())
    }

    pub(super) fn keep(&self, encode: Encode, encoded: Encoded) {
        self.encoded.borrow_mut().push((encode, encoded));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::gst::color::Look;

    fn encode(video: serde_json::Value, size: (u32, u32), aligned: bool, pass: Pass) -> Option<Encode> {
        let track: VideoTrack = serde_json::from_value(video).unwrap();
        let look = Look::opaque_rgb();
        let framing = Framing {
            size,
            rotation: 0,
            look: &look,
            background: [0; 3],
            depth: 8,
            pace: Pace::Kept,
            keeps_hdr: false,
        };
        let job = Job { track: &track, size, rate: (25, 1), depth: 8, packets: Packets::Packed, aligned, pass };
        Encode::new(&framing, &job)
    }

    #[test]
    fn an_encode_is_shared_only_by_what_asks_for_the_same_in_one_pass() {
        let video = |bitrate: &str| serde_json::json!({"bitrate": bitrate});
        let even = serde_json::json!({"bitrate": "2M", "keyframes": "even"});
        let rung = encode(video("2M"), (640, 360), true, Pass::Only);
        assert!(rung.is_some());
        assert_eq!(rung, encode(even, (640, 360), true, Pass::Only));
        assert_ne!(rung, encode(video("2M"), (640, 360), false, Pass::Only));
        assert_ne!(rung, encode(video("1M"), (640, 360), true, Pass::Only));
        assert_ne!(rung, encode(video("2M"), (320, 180), true, Pass::Only));
        assert_eq!(None, encode(video("2M"), (640, 360), true, Pass::Second("notes".into())));
    }
}
