//! `split_over:`: films that are made in segments, which can be, and where a master is cut for them.

use super::{Brand, EncoderKind, Entry, FrameRate, Interval, Span, Spec, VideoCodec};
use crate::model::{FieldOrder, MediaFacts, VideoFacts};

/// A segment is at least so many keyframe intervals long, for one more is encoded before it and thrown away.
const LEAST_INTERVALS: u64 = 4;

/// Containers with an index, in which a place is found to the frame, as the beginning of what ffprobe calls them.
const INDEXED: [&str; 2] = ["mov,", "matroska,"];
/// Codecs that GStreamer decodes, from any keyframe on, to the frames that it gives when it decodes all.
const SOUGHT: [&str; 10] = ["h264", "hevc", "prores", "dnxhd", "mpeg2video", "mpeg4", "mjpeg", "ffv1", "vp8", "vp9"];

impl Entry {
    /// Where its segments begin after the first one, in nanoseconds of the recording: half a frame before a frame that is
    /// a multiple of the keyframes' distance away from the first, so that no frame is near a cut. Empty where it is made
    /// as a whole.
    ///
    /// There are as few segments, evenly long, as keep each within `split_over`, or a twentieth above it: sound that is longer
    /// than the pictures by a moment is no reason for one more.
    pub fn cuts(&self, master: &MediaFacts) -> Vec<u64> {
        let (Some(over), Some((film, _)), Some(video)) = (self.split_over, self.spec.film(), &master.video) else {
            return Vec::new();
        };
        let duration = master.duration_ms.unwrap_or(0);
        let has_sound_of_its_own = !master.audio.is_empty() || self.brand.as_ref().is_none_or(|b| !b.has_sound());
        let is_known = |known: &[&str], found: &str| known.iter().any(|k| found.starts_with(k));
        let container = master.container.as_deref().unwrap_or_default();
        if duration <= over.0
            || !is_known(&INDEXED, container)
            || !SOUGHT.contains(&video.codec.as_str())
            || video.field_order != FieldOrder::Progressive
            || !keeps_its_frames(film.frame_rate, video)
            || !has_sound_of_its_own
            || self.around(master).is_some()
        {
            return Vec::new();
        }
        let (n, d) = (u64::from(video.rate.0), u64::from(video.rate.1));
        let every = u64::from(film.video.frames_in_interval(video.rate));
        let frames = duration * n / (1000 * d);
        let count = (20 * duration).div_ceil((21 * over.0).max(1));
        let cut = |i: u64| (frames * i / count + every / 2) / every * every;
        let time = |frame: u64| {
            let half_frames = u128::from(2 * frame - 1);
            u64::try_from(half_frames * u128::from(d) * 500_000_000 / u128::from(n)).unwrap_or(u64::MAX)
        };
        let mut cuts: Vec<u64> = (1..count).map(cut).filter(|frame| (1..frames).contains(frame)).collect();
        cuts.dedup();
        cuts.into_iter().map(time).collect()
    }
}

/// Whether every frame of such a master goes in as it comes: what leaves some out or repeats some has to see all before.
fn keeps_its_frames(rule: Option<FrameRate>, video: &VideoFacts) -> bool {
    let is_known = video.rate.0 > 0 && video.rate.1 > 0;
    match rule {
        None | Some(FrameRate::Keep) => is_known,
        Some(FrameRate::Even(..)) => false,
        Some(rule @ FrameRate::Most(..)) => is_known && !video.variable_rate && rule.of(video.rate).is_none(),
    }
}

/// Refuses what cannot be made in segments, saying why.
pub(super) fn check(over: Span, spec: &Spec, brand: Option<&Brand>) -> Result<(), String> {
    let Some((film, _)) = spec.film() else {
        return Err("split_over goes with films: an mp4, mov, fmp4 or ts".to_owned());
    };
    if !matches!(film.video.codec, VideoCodec::H264 | VideoCodec::H265) {
        return Err("split_over goes with H.264 and H.265: leave it out".to_owned());
    }
    if film.video.is_two_pass() {
        return Err("split_over goes with one pass, for the first of two sees the whole film: leave one out".to_owned());
    }
    if film.video.encoder.is_some_and(|e| e != EncoderKind::Software) {
        return Err("split_over goes with encoder: software".to_owned());
    }
    if matches!(film.frame_rate, Some(FrameRate::Even(..))) {
        return Err("split_over goes with the master's own frames: leave it or frame_rate out".to_owned());
    }
    if brand.is_some_and(|b| b.clips().next().is_some()) {
        return Err(
            "its brand has an intro or outro, and a film with clips around it is made as a whole: leave split_over out"
                .to_owned(),
        );
    }
    if brand.is_some_and(|b| !b.texts.is_empty() || b.subtitles.is_some()) {
        return Err(
            "its brand has texts or subtitles, which are drawn on a whole film: leave split_over out".to_owned()
        );
    }
    let Interval(interval) = film.video.keyframe_interval;
    let least = Span(LEAST_INTERVALS * u64::from(interval));
    match over.0 >= least.0 {
        true => Ok(()),
        false => Err(format!(
            "a split_over of {over} was given, expected at least {least}: {LEAST_INTERVALS} times its keyframe_interval"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(over: &str, more: &str) -> Entry {
        let spec = format!(r#"{{"mp4": {{"video": {{"bitrate": "2M", "keyframe_interval": "1s"}}{more}}}}}"#);
        let text = format!(r#"{{"name": "proxy", "spec": {spec}, "split_over": "{over}"}}"#);
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}"))
    }

    fn master(seconds: u64, more: &str) -> MediaFacts {
        let text = format!(
            r#"{{"kind": "video", "mime": "video/mp4", "container": "mov,mp4,m4a,3gp,3g2,mj2", "duration_ms": {},
                "video": {{"codec": "h264", "width": 640, "height": 360, "rate": [25, 1]{more}}}}}"#,
            seconds * 1000
        );
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn segments_are_even_and_begin_half_a_frame_before_a_keyframe() {
        let half = 20_000_000;
        let cuts = |seconds| entry("4s", "").cuts(&master(seconds, ""));
        assert_eq!(cuts(4), [0_u64; 0]);
        assert_eq!(cuts(5), [2_000_000_000 - half]);
        assert_eq!(cuts(8), [4_000_000_000 - half]);
        assert_eq!(cuts(9), [3_000_000_000 - half, 6_000_000_000 - half]);
        assert_eq!(entry("10min", "").cuts(&master(7200, "")).len(), 11);
        assert_eq!(entry("10min", "").cuts(&master(7201, "")).len(), 11);
        assert_eq!(entry("10min", "").cuts(&master(7200, r#", "variable_rate": true"#)).len(), 11);
    }

    #[test]
    fn what_would_come_out_otherwise_is_made_as_a_whole() {
        let is_whole = |entry: Entry, master: MediaFacts| entry.cuts(&master).is_empty();
        let split = || entry("4s", "");
        assert!(!is_whole(split(), master(60, "")));
        assert!(is_whole(split(), master(60, r#", "field_order": "top""#)));
        assert!(is_whole(split(), MediaFacts { container: Some("mpegts".to_owned()), ..master(60, "") }));
        assert!(is_whole(split(), MediaFacts { duration_ms: None, ..master(60, "") }));
        let most = || entry("4s", r#", "frame_rate": {"max": 30}"#);
        assert!(!is_whole(most(), master(60, "")));
        assert!(is_whole(most(), master(60, r#", "variable_rate": true"#)));
        let mut fast = master(60, "");
        fast.video.iter_mut().for_each(|v| v.rate = (50, 1));
        assert!(is_whole(most(), fast));
    }

    #[test]
    fn a_film_with_a_clip_around_it_is_made_as_a_whole_and_its_profile_is_refused() {
        let brand: Brand = serde_json::from_str(r#"{"outro": {"file": "end.mp4"}}"#).unwrap();
        let entry = Entry { brand: Some(brand.clone()), ..entry("4s", "") };
        assert!(entry.cuts(&master(60, "")).is_empty());
        let told = check(Span(4000), &entry.spec, Some(&brand)).unwrap_err();
        assert!(told.contains("an intro or outro"), "{told}");
    }
}
