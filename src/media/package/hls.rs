//! The playlists of HLS (RFC 8216).

use std::fmt::Write as _;

use super::{Label, Ladder, RungKind, Track, boxes::Fragment, groups, key_name, text};

fn target_duration(track: &Track<'_>) -> u64 {
    track.segments.iter().map(|s| track.seconds(s.duration()).round() as u64).max().unwrap_or(1).max(1)
}

pub(super) fn media_playlist(track: &Track<'_>, entry: &str) -> String {
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"{}\"\n",
        target_duration(track),
        track.init_name()
    );
    for (i, segment) in track.segments.iter().enumerate() {
        // After the header's line: that stays as it is.
        if let Some(vector) = track.vectors.get(i) {
            let vector: String = vector.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(text, "#EXT-X-KEY:METHOD=AES-128,URI=\"{}\",IV=0x{vector}", key_name(entry)).ok();
        }
        write!(text, "#EXTINF:{:.6},\n{}\n", track.seconds(segment.duration()), track.segment_name(i + 1)).ok();
    }
    text + "#EXT-X-ENDLIST\n"
}

/// The words of one track, in one piece.
pub(super) fn text_playlist(name: &str, seconds: f64) -> String {
    format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXTINF:{seconds:.6},\n{}\n#EXT-X-ENDLIST\n",
        seconds.round().max(1.0),
        text::words_name(name)
    )
}

/// The pictures that stand by themselves, for fast forward and for scrubbing.
pub(super) fn iframe_playlist(track: &Track<'_>) -> String {
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-I-FRAMES-ONLY\n#EXT-X-MAP:URI=\"{}\"\n",
        target_duration(track),
        track.init_name()
    );
    for (segment, number) in track.segments.iter().zip(1..) {
        let mut at = 0;
        for group in groups(&segment.fragments) {
            write!(
                text,
                "#EXTINF:{:.6},\n#EXT-X-BYTERANGE:{}@{at}\n{}\n",
                track.seconds(group.iter().map(|f| f.duration).sum()),
                group.first().map_or(0, |f| f.first),
                track.segment_name(number)
            )
            .ok();
            at += group.iter().map(|f| f.bytes).sum::<u64>();
        }
    }
    text + "#EXT-X-ENDLIST\n"
}

pub(super) fn master(ladder: &Ladder<'_>) -> String {
    let tracks = &ladder.tracks;
    let mut text = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n".to_owned();
    let (mut audio_most, mut audio_mean, mut audio_codec) = (0, 0, None);
    let mut default = "DEFAULT=YES";
    for track in tracks {
        let RungKind::Audio { channels, label, .. } = &track.rung.kind else { continue };
        let label = label.as_ref();
        let label =
            member("AUDIO", "sound", label.map_or("main", |l| &l.name), label.and_then(|l| l.language.as_deref()));
        writeln!(text, "{label},{default},AUTOSELECT=YES,CHANNELS=\"{channels}\",URI=\"{}.m3u8\"", track.name).ok();
        default = "DEFAULT=NO";
        // A rung is heard with one of them: the largest counts.
        let (most, mean) = track.bandwidth();
        (audio_most, audio_mean) = (audio_most.max(most), audio_mean.max(mean));
        audio_codec.get_or_insert(track.media.codec.as_str());
    }
    for words in ladder.texts {
        let Label { name, language } = &words.label;
        let label = member("SUBTITLES", "text", name, language.as_deref());
        let (entry, file) = (ladder.entry, &words.file);
        writeln!(text, "{label},DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI=\"{entry}.{file}.m3u8\"").ok();
    }
    let mut iframes = String::new();
    for track in tracks {
        let RungKind::Video { size: (width, height), rate } = track.rung.kind else { continue };
        let (most, mean) = track.bandwidth();
        let codecs: Vec<&str> = [Some(track.media.codec.as_str()), audio_codec].into_iter().flatten().collect();
        let rate = rate.map(|rate| format!(",FRAME-RATE={rate:.3}")).unwrap_or_default();
        let sound = if audio_codec.is_some() { ",AUDIO=\"sound\"" } else { "" };
        let words = if ladder.texts.is_empty() { "" } else { ",SUBTITLES=\"text\"" };
        writeln!(
            text,
            "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{}\",RESOLUTION={width}x{height}{rate}{sound}{words}\n{}.m3u8",
            most + audio_most,
            mean + audio_mean,
            codecs.join(","),
            track.name
        )
        .ok();
        // A keyframe cannot be fetched alone out of a segment that is encrypted whole.
        if !track.vectors.is_empty() {
            continue;
        }
        // Each alone, as fast as it would be fetched.
        let rate = |group: &[Fragment]| {
            let ticks: u64 = group.iter().map(|f| f.duration).sum();
            (group.first().map_or(0, |f| f.first) as f64 * 8.0 / track.seconds(ticks.max(1))).ceil() as u64
        };
        let peak = groups(&track.media.fragments).map(rate).max();
        writeln!(
            iframes,
            "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={},CODECS=\"{}\",RESOLUTION={width}x{height},URI=\"{}.iframes.m3u8\"",
            peak.unwrap_or(0),
            track.media.codec,
            track.name
        )
        .ok();
    }
    text + &iframes
}

/// The beginning of a line for what whoever watches can choose.
fn member(kind: &str, group: &str, name: &str, language: Option<&str>) -> String {
    let language = language.map(|l| format!(",LANGUAGE=\"{l}\"")).unwrap_or_default();
    format!("#EXT-X-MEDIA:TYPE={kind},GROUP-ID=\"{group}\",NAME=\"{name}\"{language}")
}
