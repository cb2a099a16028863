//! Chosen moments for an editing suite: as a cut list (CMX 3600), as an OpenTimelineIO timeline, as a table, as a playlist.

use std::fmt::Write;

use serde_json::json;

use crate::{
    error::{Error, Result},
    model::{Counting, Timecode},
};

/// A stretch of a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    /// What the recording is called.
    pub title: String,
    /// The asset's id.
    pub asset: String,
    /// Its collection.
    pub collection: Option<String>,
    /// Where the media are: a path or an address.
    pub media: String,
    /// Milliseconds of the recording.
    pub from_ms: u64,
    /// Milliseconds of the recording.
    pub to_ms: u64,
    /// The recording's length in milliseconds.
    pub duration_ms: Option<u64>,
    /// Frames a second, where it has pictures.
    pub rate: Option<(u32, u32)>,
    /// Its start timecode.
    pub timecode: Option<Timecode>,
    /// Whether it has sound.
    pub has_sound: bool,
    /// What is said or to be seen.
    pub text: String,
}

/// Frames a second of what has none, in lists that count in frames.
const USUAL: (u32, u32) = (25, 1);

impl Cut {
    fn rate(&self) -> (u32, u32) {
        self.rate.filter(|(n, d)| *n > 0 && *d > 0).unwrap_or(USUAL)
    }

    fn counting(&self) -> Result<Counting> {
        let drops = self.timecode.as_ref().is_some_and(|t| t.drop_frame);
        Counting::new(self.rate(), drops).ok_or_else(|| {
            Error::unsupported(format!("'{}' has {}/{} frames a second", self.title, self.rate().0, self.rate().1))
        })
    }

    /// The first frame and the one behind the last, counted from the recording's beginning.
    fn frames(&self, counting: Counting) -> (u64, u64) {
        let from = counting.frame_at(self.from_ms);
        (from, counting.frame_at(self.to_ms).max(from + 1))
    }

    /// The frame, counted from midnight, that the recording begins with.
    fn first(&self, counting: Counting) -> u64 {
        self.timecode.as_ref().and_then(|t| counting.frame(&t.value)).unwrap_or(0)
    }
}

/// One line of text, without anything that would end it.
fn line(text: &str) -> String {
    text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A cut list by CMX 3600: one event a moment, one after the other from 01:00:00:00 on. Times of a source are its own
/// timecodes; the list counts as its first source does. Titles and texts are comments.
pub fn edl(title: &str, cuts: &[Cut]) -> Result<String> {
    let Some(first) = cuts.first() else { return Err(Error::invalid("there is nothing to cut")) };
    if cuts.len() > 999 {
        return Err(Error::invalid(format!("a CMX 3600 list has 999 events at most, not {}", cuts.len()))
            .hint("a narrower question or fewer --moments make it shorter; --otio has no such limit"));
    }
    let record = first.counting()?;
    let drops = first.timecode.as_ref().is_some_and(|t| t.drop_frame) && record.label(0).contains(';');
    let first_rate = first.rate();
    let mut reels: Vec<(String, &str)> = Vec::new();
    let mut at = record.frame(if drops { "01:00:00;00" } else { "01:00:00:00" }).unwrap_or(0);
    let fcm = if drops { "DROP FRAME" } else { "NON-DROP FRAME" };
    let mut text = format!("TITLE: {}\nFCM: {fcm}\n\n", line(title));
    for (n, cut) in cuts.iter().enumerate() {
        let counting = cut.counting()?;
        let (from, to) = cut.frames(counting);
        let first = cut.first(counting);
        // What is of another rate takes as long in the list as it does by itself.
        let (num, den) = (u64::from(cut.rate().0), u64::from(cut.rate().1));
        let (of_n, of_d) = (u64::from(first_rate.0), u64::from(first_rate.1));
        let length = (((to - from) * den * of_n + num * of_d / 2) / (num * of_d)).max(1);
        let (source_in, source_out) = (counting.label(first + from), counting.label(first + to));
        let (record_in, record_out) = (record.label(at), record.label(at + length));
        let channel = match (cut.rate.is_some(), cut.has_sound) {
            (true, true) => "AA/V",
            (true, false) => "V",
            (false, _) => "AA",
        };
        let reel = match reels.iter().find(|(_, asset)| *asset == cut.asset) {
            Some((reel, _)) => reel.clone(),
            None => {
                let reel = unlike(&reel(&cut.title), &reels);
                reels.push((reel.clone(), &cut.asset));
                reel
            }
        };
        writeln!(
            text,
            "{:03}  {reel:<8} {channel:<5} C        {source_in} {source_out} {record_in} {record_out}\n* FROM CLIP NAME: {}\n* SOURCE FILE: {}\n* COMMENT: {}",
            n + 1,
            line(&cut.title),
            line(&cut.media),
            line(&cut.text),
        )
        .map_err(|e| Error::internal("cannot write").because(e))?;
        at += length;
    }
    Ok(text)
}

/// A reel's name: eight letters and digits.
fn reel(title: &str) -> String {
    let stem = title.rsplit_once('.').map_or(title, |(stem, _)| stem);
    let name: String = stem.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    if name.is_empty() { "AX".to_owned() } else { name.to_ascii_uppercase() }
}

/// A reel's name that no other recording of the list has.
fn unlike(name: &str, reels: &[(String, &str)]) -> String {
    let is_taken = |name: &str| reels.iter().any(|(taken, _)| taken == name);
    let numbered = |n: usize| {
        let number = n.to_string();
        format!("{}{number}", &name[..name.len().min(8 - number.len().min(8))])
    };
    match is_taken(name) {
        false => name.to_owned(),
        true => (2..10_000).map(numbered).find(|name| !is_taken(name)).unwrap_or_else(|| name.to_owned()),
    }
}

/// An OpenTimelineIO timeline (its JSON, schema Timeline.1): one track, a clip a moment, each with the whole recording as
/// its media.
pub fn otio(title: &str, cuts: &[Cut]) -> Result<String> {
    let mut clips = Vec::with_capacity(cuts.len());
    for cut in cuts {
        let counting = cut.counting()?;
        let (n, d) = cut.rate();
        let rate = f64::from(n) / f64::from(d);
        let time = |frames: u64| json!({"OTIO_SCHEMA": "RationalTime.1", "rate": rate, "value": frames as f64});
        let range = |from: u64, frames: u64| json!({"OTIO_SCHEMA": "TimeRange.1", "start_time": time(from), "duration": time(frames)});
        let (first, (from, to)) = (cut.first(counting), cut.frames(counting));
        let whole = cut.duration_ms.map(|ms| range(first, counting.frame_at(ms).max(to)));
        clips.push(json!({
            "OTIO_SCHEMA": "Clip.2",
            "name": cut.title,
            "source_range": range(first + from, to - from),
            "media_references": {
                "DEFAULT_MEDIA": {
                    "OTIO_SCHEMA": "ExternalReference.1",
                    "name": cut.title,
                    "target_url": address(&cut.media),
                    "available_range": whole,
                    "metadata": {},
                    "available_image_bounds": null,
                },
            },
            "active_media_reference_key": "DEFAULT_MEDIA",
            "metadata": {"damctl": {"asset": cut.asset, "text": cut.text, "from_ms": cut.from_ms, "to_ms": cut.to_ms}},
            "effects": [],
            "markers": [],
            "enabled": true,
        }));
    }
    let has_pictures = cuts.iter().any(|cut| cut.rate.is_some());
    let track = json!({
        "OTIO_SCHEMA": "Track.1",
        "name": if has_pictures { "V1" } else { "A1" },
        "kind": if has_pictures { "Video" } else { "Audio" },
        "children": clips,
        "source_range": null,
        "metadata": {},
        "effects": [],
        "markers": [],
        "enabled": true,
    });
    let timeline = json!({
        "OTIO_SCHEMA": "Timeline.1",
        "name": title,
        "global_start_time": null,
        "metadata": {},
        "tracks": {
            "OTIO_SCHEMA": "Stack.1",
            "name": "tracks",
            "children": [track],
            "source_range": null,
            "metadata": {},
            "effects": [],
            "markers": [],
            "enabled": true,
        },
    });
    serde_json::to_string_pretty(&timeline).map_err(|e| Error::internal("cannot write JSON").because(e))
}

/// A path as an address (RFC 8089); what is one stays so.
fn address(media: &str) -> String {
    if !media.starts_with('/') {
        return media.to_owned();
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.' | b'~');
    let each = media.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") });
    format!("file://{}", each.collect::<String>())
}

/// A table by RFC 4180, with a head.
pub fn csv(cuts: &[Cut]) -> String {
    let mut text = String::from("asset,title,collection,from_ms,to_ms,timecode_in,timecode_out,media,text\r\n");
    for cut in cuts {
        let label = |ms| cut.rate.and_then(|rate| Some(cut.timecode.as_ref()?.after(rate, ms)));
        let label = |ms| label(ms).flatten().unwrap_or_default();
        let fields = [
            cut.asset.clone(),
            cut.title.clone(),
            cut.collection.clone().unwrap_or_default(),
            cut.from_ms.to_string(),
            cut.to_ms.to_string(),
            label(cut.from_ms),
            label(cut.to_ms),
            cut.media.clone(),
            cut.text.clone(),
        ];
        text.push_str(&fields.map(|field| cell(&field)).join(","));
        text.push_str("\r\n");
    }
    text
}

/// A field between quotation marks where it needs them. Spreadsheets take some beginnings for a formula, and what was read
/// in a picture is anybody's.
fn cell(field: &str) -> String {
    let guarded = match field.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{field}"),
        false => field.to_owned(),
    };
    match guarded.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", guarded.replace('"', "\"\"")),
        false => guarded,
    }
}

/// A playlist (extended M3U): each moment by its beginning and end, as VLC and Kodi read them.
pub fn m3u(cuts: &[Cut]) -> String {
    let mut text = String::from("#EXTM3U\n");
    for cut in cuts {
        let (from, to) = (cut.from_ms as f64 / 1000.0, cut.to_ms as f64 / 1000.0);
        let what = line(&format!("{} — {}", cut.title, cut.text));
        text.push_str(&format!("#EXTINF:{:.0},{what}\n", (to - from).max(0.0)));
        text.push_str(&format!("#EXTVLCOPT:start-time={from:.3}\n#EXTVLCOPT:stop-time={to:.3}\n"));
        text.push_str(&line(&cut.media));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut() -> Cut {
        Cut {
            title: "ENTREVISTA_final.mov".into(),
            asset: "a".into(),
            collection: None,
            media: "/store/a.mov".into(),
            from_ms: 2000,
            to_ms: 4000,
            duration_ms: Some(60_000),
            rate: Some((30_000, 1001)),
            has_sound: false,
            timecode: Some(Timecode { value: "00:00:58;00".into(), drop_frame: true, source: "stream".into() }),
            text: "la \"inflación\", otra\nvez".into(),
        }
    }

    #[test]
    fn a_cut_list_counts_as_its_sources_do() {
        let text = edl("búsqueda", &[cut(), cut()]).unwrap();
        // At two seconds the frame 59 is shown, at four the frame 119: over the minute, whose first two labels are left out.
        assert_eq!(
            text.lines().take(7).collect::<Vec<_>>(),
            [
                "TITLE: búsqueda",
                "FCM: DROP FRAME",
                "",
                "001  ENTREVIS V     C        00:00:59;29 00:01:02;01 01:00:00;00 01:00:02;00",
                "* FROM CLIP NAME: ENTREVISTA_final.mov",
                "* SOURCE FILE: /store/a.mov",
                "* COMMENT: la \"inflación\", otra vez",
            ]
        );
        assert!(
            text.contains("002  ENTREVIS V     C        00:00:59;29 00:01:02;01 01:00:02;00 01:00:04;00"),
            "{text}"
        );
    }

    #[test]
    fn recordings_of_one_name_are_reels_of_their_own_and_rates_are_reckoned_over() {
        let slow = Cut { asset: "b".into(), rate: Some((25, 1)), timecode: None, has_sound: true, ..cut() };
        let text = edl("x", &[cut(), slow, cut()]).unwrap();
        let reels: Vec<&str> = text.lines().filter(|l| l.starts_with("00")).map(|l| &l[5..13]).collect();
        assert_eq!(reels, ["ENTREVIS", "ENTREVI2", "ENTREVIS"]);
        // 50 frames of 25 are 60 of 29.97.
        assert!(
            text.contains("002  ENTREVI2 AA/V  C        00:00:02:00 00:00:04:00 01:00:02;00 01:00:04;00"),
            "{text}"
        );
    }

    #[test]
    fn tables_hold_quotation_marks_and_no_formulas() {
        let formula = Cut { text: "=HYPERLINK(1)".into(), ..cut() };
        let text = csv(&[cut(), formula]);
        assert!(text.contains("\"la \"\"inflación\"\", otra\nvez\""), "{text}");
        assert!(text.contains(",'=HYPERLINK(1)\r\n"), "{text}");
        assert!(text.contains("00:00:59;29"), "{text}");
    }
}
