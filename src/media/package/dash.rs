//! The manifest of DASH (ISO/IEC 23009-1).

use std::fmt::Write as _;

use super::{Label, Ladder, RungKind, Text, Track, text::words_name};

/// Times stand in a timeline: sound is cut where its frames end, not where pictures do.
pub(super) fn manifest(ladder: &Ladder<'_>) -> String {
    let (tracks, total) = (&ladder.tracks, ladder.seconds());
    let longest = tracks.iter().flat_map(|t| t.segments.iter().map(|s| t.seconds(s.duration()))).fold(0.0, f64::max);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" \
         profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" minBufferTime=\"PT{:.3}S\" \
         mediaPresentationDuration=\"PT{total:.3}S\" maxSegmentDuration=\"PT{longest:.3}S\">\n  <Period id=\"0\" start=\"PT0S\">\n",
        ladder.segment_ms as f64 / 1000.0
    );
    let of_kind = |is_video: bool| tracks.iter().filter(move |t| t.is_video() == is_video);
    if of_kind(true).next().is_some() {
        adaptation(&mut text, "video", "", "", of_kind(true));
    }
    for (i, track) in of_kind(false).enumerate() {
        let (attributes, children) = match &track.rung.kind {
            RungKind::Audio { label: Some(label), .. } => chosen_by(label, if i == 0 { "main" } else { "alternate" }),
            _ => Default::default(),
        };
        adaptation(&mut text, "audio", &attributes, &children, std::iter::once(track));
    }
    ladder.texts.iter().for_each(|words| subtitles(&mut text, ladder, words));
    text + "  </Period>\n</MPD>\n"
}

fn adaptation<'a>(
    text: &mut String,
    content: &str,
    attributes: &str,
    children: &str,
    tracks: impl Iterator<Item = &'a Track<'a>>,
) {
    writeln!(
        text,
        "    <AdaptationSet contentType=\"{content}\" mimeType=\"{content}/mp4\"{attributes} segmentAlignment=\"true\" startWithSAP=\"1\">"
    )
    .ok();
    text.push_str(children);
    tracks.for_each(|track| representation(text, track));
    text.push_str("    </AdaptationSet>\n");
}

/// A set of one whole file of words.
fn subtitles(text: &mut String, ladder: &Ladder<'_>, Text { file, label }: &Text) {
    let (attributes, children) = chosen_by(label, "subtitle");
    let name = format!("{}.{file}", ladder.entry);
    writeln!(
        text,
        "    <AdaptationSet contentType=\"text\" mimeType=\"text/vtt\"{attributes}>\n{children}      \
         <Representation id=\"{name}\" bandwidth=\"1000\">\n        <BaseURL>{}</BaseURL>\n      </Representation>\n    \
         </AdaptationSet>",
        words_name(&name)
    )
    .ok();
}

/// What names a set, as attributes and as elements in it.
fn chosen_by(label: &Label, role: &str) -> (String, String) {
    let language = label.language.as_ref().map(|l| format!(" lang=\"{l}\"")).unwrap_or_default();
    let name = label.name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let role = format!("      <Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"{role}\"/>\n");
    (language, format!("      <Label>{name}</Label>\n{role}"))
}

fn representation(text: &mut String, track: &Track<'_>) {
    let (name, codec, (most, _)) = (&track.name, &track.media.codec, track.bandwidth());
    let (extra, channels) = match &track.rung.kind {
        RungKind::Video { size: (width, height), rate } => {
            // As a fraction where it is one of the NTSC family.
            let rate = rate.map(|rate| match (rate * 1001.0 / 1000.0).round() {
                whole if (rate * 1001.0 - whole * 1000.0).abs() < 0.5 && (rate - rate.round()).abs() > 0.001 => {
                    format!(" frameRate=\"{}/1001\"", whole as u64 * 1000)
                }
                _ => format!(" frameRate=\"{}\"", rate.round() as u64),
            });
            (format!("width=\"{width}\" height=\"{height}\" sar=\"1:1\"{}", rate.unwrap_or_default()), None)
        }
        RungKind::Audio { channels, rate, .. } => (format!("audioSamplingRate=\"{rate}\""), Some(*channels)),
    };
    write!(
        text,
        "      <Representation id=\"{name}\" codecs=\"{codec}\" bandwidth=\"{most}\" {extra}>\n{}        <SegmentTemplate \
         timescale=\"{}\" startNumber=\"1\" initialization=\"$RepresentationID$.init.mp4\" media=\"$RepresentationID$.$Number%05d$.m4s\">\n          \
         <SegmentTimeline>",
        channels
            .map(|n| {
                format!(
                    "        <AudioChannelConfiguration schemeIdUri=\"urn:mpeg:dash:23003:3:audio_channel_configuration:2011\" \
                     value=\"{n}\"/>\n"
                )
            })
            .unwrap_or_default(),
        track.media.timescale
    )
    .ok();
    let mut at = 0;
    let mut runs: Vec<(Option<u64>, u64, u64)> = Vec::new();
    for segment in &track.segments {
        let (start, duration) = (segment.start(), segment.duration());
        match runs.last_mut() {
            Some((_, known, more)) if *known == duration && start == at => *more += 1,
            _ => runs.push(((start != at || runs.is_empty()).then_some(start), duration, 0)),
        }
        at = start + duration;
    }
    for (start, duration, more) in runs {
        let start = start.map(|t| format!(" t=\"{t}\"")).unwrap_or_default();
        let more = if more > 0 { format!(" r=\"{more}\"") } else { String::new() };
        write!(text, "<S{start} d=\"{duration}\"{more}/>").ok();
    }
    text.push_str("</SegmentTimeline>\n        </SegmentTemplate>\n      </Representation>\n");
}
