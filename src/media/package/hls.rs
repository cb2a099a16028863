//! The playlists of HLS (RFC 8216).

use std::fmt::Write as _;

use super::{Label, key_name, seal::Vector, text};

/// What fragmented MP4 needs of players, and what transport streams do.
#[derive(Clone, Copy)]
pub(super) enum Version {
    Seven = 7,
    /// For keyframes by their bytes and for sounds to choose from; else it would be 3.
    Four = 4,
}

/// A segment of a list.
pub(super) struct Item<'a> {
    pub(super) name: String,
    pub(super) seconds: f64,
    /// Of an encrypted one.
    pub(super) vector: Option<&'a Vector>,
    /// Its keyframes.
    pub(super) keys: Vec<KeyItem>,
}

/// A keyframe in its segment.
#[derive(Clone, Copy)]
pub(super) struct KeyItem {
    /// Until the next one.
    pub(super) seconds: f64,
    pub(super) at: u64,
    pub(super) bytes: u64,
}

/// The lists of one set of segments.
pub(super) struct Set<'a> {
    pub(super) version: Version,
    pub(super) sounds: Vec<Heard<'a>>,
    /// Each with its list.
    pub(super) texts: Vec<(&'a Label, String)>,
    pub(super) variants: Vec<Variant<'a>>,
}

/// A sound that can be chosen.
pub(super) struct Heard<'a> {
    pub(super) label: Option<&'a Label>,
    pub(super) channels: u32,
    /// None of what lies in the segments of the pictures.
    pub(super) list: Option<String>,
}

/// A rung as it is listed.
pub(super) struct Variant<'a> {
    /// What its lists begin with.
    pub(super) name: String,
    pub(super) size: (u32, u32),
    pub(super) rate: Option<f64>,
    /// The most and the mean bits a second, with its sound.
    pub(super) bandwidth: (u64, u64),
    pub(super) codec: &'a str,
    pub(super) sound: Option<&'a str>,
    /// The most bits a second of its keyframes alone. None when they cannot be fetched alone.
    pub(super) keys: Option<u64>,
}

fn header(version: Version, seconds: impl Iterator<Item = f64>) -> String {
    let target = seconds.map(|s| s.round() as u64).max().unwrap_or(1).max(1);
    format!(
        "#EXTM3U\n#EXT-X-VERSION:{}\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n",
        version as u8
    )
}

fn map(init: Option<&str>) -> String {
    init.map(|name| format!("#EXT-X-MAP:URI=\"{name}\"\n")).unwrap_or_default()
}

pub(super) fn media_playlist(version: Version, init: Option<&str>, items: &[Item<'_>], entry: &str) -> String {
    let mut text = header(version, items.iter().map(|item| item.seconds));
    write!(text, "#EXT-X-INDEPENDENT-SEGMENTS\n{}", map(init)).ok();
    for item in items {
        // After the header's line: that stays as it is.
        if let Some(vector) = item.vector {
            let vector: String = vector.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(text, "#EXT-X-KEY:METHOD=AES-128,URI=\"{}\",IV=0x{vector}", key_name(entry)).ok();
        }
        write!(text, "#EXTINF:{:.6},\n{}\n", item.seconds, item.name).ok();
    }
    text + "#EXT-X-ENDLIST\n"
}

/// The words of one track, in one piece.
pub(super) fn text_playlist(version: Version, name: &str, seconds: f64) -> String {
    let header = header(version, std::iter::once(seconds));
    format!("{header}#EXTINF:{seconds:.6},\n{}\n#EXT-X-ENDLIST\n", text::words_name(name))
}

/// The pictures that stand by themselves, for fast forward and for scrubbing.
pub(super) fn iframe_playlist(version: Version, init: Option<&str>, items: &[Item<'_>]) -> String {
    let mut text = header(version, items.iter().map(|item| item.seconds));
    write!(text, "#EXT-X-I-FRAMES-ONLY\n{}", map(init)).ok();
    for (item, key) in items.iter().flat_map(|item| item.keys.iter().map(move |key| (item, key))) {
        let KeyItem { seconds, at, bytes } = key;
        write!(text, "#EXTINF:{seconds:.6},\n#EXT-X-BYTERANGE:{bytes}@{at}\n{}\n", item.name).ok();
    }
    text + "#EXT-X-ENDLIST\n"
}

pub(super) fn master(set: &Set<'_>) -> String {
    let mut text = format!("#EXTM3U\n#EXT-X-VERSION:{}\n#EXT-X-INDEPENDENT-SEGMENTS\n", set.version as u8);
    let mut default = "DEFAULT=YES";
    for Heard { label, channels, list } in &set.sounds {
        let (name, language) = label.map_or(("main", None), |l| (l.name.as_str(), l.language.as_deref()));
        let label = member("AUDIO", "sound", name, language);
        let list = list.as_ref().map(|list| format!(",URI=\"{list}\"")).unwrap_or_default();
        writeln!(text, "{label},{default},AUTOSELECT=YES,CHANNELS=\"{channels}\"{list}").ok();
        default = "DEFAULT=NO";
    }
    for (Label { name, language }, list) in &set.texts {
        let label = member("SUBTITLES", "text", name, language.as_deref());
        writeln!(text, "{label},DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI=\"{list}\"").ok();
    }
    let sound = if set.sounds.is_empty() { "" } else { ",AUDIO=\"sound\"" };
    let words = if set.texts.is_empty() { "" } else { ",SUBTITLES=\"text\"" };
    for Variant { name, size: (width, height), rate, bandwidth: (most, mean), codec, sound: heard, .. } in &set.variants
    {
        let codecs: Vec<&str> = [Some(*codec), *heard].into_iter().flatten().collect();
        let rate = rate.map(|rate| format!(",FRAME-RATE={rate:.3}")).unwrap_or_default();
        writeln!(
            text,
            "#EXT-X-STREAM-INF:BANDWIDTH={most},AVERAGE-BANDWIDTH={mean},CODECS=\"{}\",RESOLUTION={width}x{height}{rate}{sound}{words}\n{name}.m3u8",
            codecs.join(","),
        )
        .ok();
    }
    for Variant { name, size: (width, height), codec, keys, .. } in &set.variants {
        let Some(most) = keys else { continue };
        writeln!(
            text,
            "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={most},CODECS=\"{codec}\",RESOLUTION={width}x{height},URI=\"{name}.iframes.m3u8\"",
        )
        .ok();
    }
    text
}

/// The beginning of a line for what whoever watches can choose.
fn member(kind: &str, group: &str, name: &str, language: Option<&str>) -> String {
    let language = language.map(|l| format!(",LANGUAGE=\"{l}\"")).unwrap_or_default();
    format!("#EXT-X-MEDIA:TYPE={kind},GROUP-ID=\"{group}\",NAME=\"{name}\"{language}")
}
