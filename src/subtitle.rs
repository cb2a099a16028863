//! Subtitles as SubRip and WebVTT write them: read from files that people bring, written for players.

use std::fmt::Write;

use crate::{
    error::{Error, Result},
    model::Finding,
};

/// One subtitle.
#[derive(Clone, Debug, PartialEq)]
pub struct Cue {
    /// Milliseconds.
    pub from_ms: u64,
    /// Milliseconds.
    pub to_ms: u64,
    /// Its lines as they are written, marks and all.
    pub text: String,
}

/// Text of a file in the encodings that subtitles come in: UTF-8, UTF-16 with its mark, else Windows-1252.
pub fn decoded(bytes: &[u8]) -> String {
    let wide = |unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        bytes => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => bytes.iter().map(|b| latin(*b)).collect(),
        },
    }
}

/// A character of Windows-1252, which agrees with Unicode but for 0x80 to 0x9f.
fn latin(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
        byte => char::from(byte),
    }
}

/// The cues of a SubRip or WebVTT file. What is not one is left out, as players do.
pub fn cues(written: &str) -> Vec<Cue> {
    let mut cues = Vec::new();
    let mut lines = written.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((from, to)) = line.split_once("-->") else { continue };
        let times = (time(from), time(to.split_whitespace().next().unwrap_or_default()));
        let (Some(from_ms), Some(to_ms)) = times else { continue };
        let mut text = Vec::new();
        while let Some(line) = lines.next_if(|l| !l.trim().is_empty()) {
            text.push(line.trim());
        }
        if to_ms > from_ms {
            cues.push(Cue { from_ms, to_ms, text: text.join("\n") });
        }
    }
    cues
}

/// `01:02:03,456`, `02:03.456`, `01:02:03`, below a thousand hours.
fn time(text: &str) -> Option<u64> {
    let (clock, part) = text.trim().split_once([',', '.']).unwrap_or((text.trim(), "0"));
    let mut seconds = 0_u64;
    for number in clock.split(':') {
        seconds = seconds.checked_mul(60)?.checked_add(number.trim().parse().ok()?)?;
    }
    let digits: String = part.chars().take(3).collect();
    let part: u64 = digits.parse().ok()?;
    let part = part * 10_u64.pow(3 - digits.len() as u32);
    Some(seconds.checked_mul(1000)? + part).filter(|ms| *ms < 1_000 * 3_600_000)
}

/// The cues of a file as findings: words without marks, and who speaks where WebVTT says so (`<v Ana>`).
pub fn findings(written: &str) -> Result<Vec<Finding>> {
    let found: Vec<Finding> = cues(written)
        .into_iter()
        .map(|cue| {
            let (text, speaker) = words(&cue.text);
            let (from_ms, to_ms) = (cue.from_ms, cue.to_ms);
            Finding { from_ms, to_ms, text, language: None, speaker, area: None, trust: None, doubts: Vec::new() }
        })
        .filter(|f| !f.text.is_empty())
        .collect();
    match found.is_empty() {
        true => Err(Error::invalid("no subtitle can be read in it").hint("SubRip (.srt) and WebVTT (.vtt) are known")),
        false => Ok(found),
    }
}

/// The words of a cue in one line, and who speaks.
fn words(text: &str) -> (String, Option<String>) {
    let (mut out, mut speaker, mut rest) = (String::new(), None, text);
    while let Some(start) = rest.find(['<', '{']) {
        let (end, is_mark) = match rest.as_bytes()[start] {
            b'<' => ('>', rest[start + 1..].trim_start_matches('/').starts_with(|c: char| c.is_ascii_alphanumeric())),
            _ => ('}', rest[start + 1..].starts_with('\\')),
        };
        let length = rest[start..].find(end).filter(|_| is_mark);
        let Some(length) = length else {
            out.push_str(&rest[..=start]);
            rest = &rest[start + 1..];
            continue;
        };
        out.push_str(&rest[..start]);
        let mark = &rest[start + 1..start + length];
        if let Some(("v", name)) = mark.split_once(' ').map(|(tag, name)| (tag.split('.').next().unwrap_or(tag), name))
        {
            speaker = speaker.or_else(|| Some(unescaped(name.trim())).filter(|name| !name.is_empty()));
        }
        rest = &rest[start + length + 1..];
    }
    out.push_str(rest);
    let out = unescaped(&out);
    (out.split_whitespace().collect::<Vec<_>>().join(" "), speaker)
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ").replace("&amp;", "&")
}

/// Longest line in characters, and most lines at once, by the habits of broadcasters (EBU, Netflix, BBC: 37 to 42).
const LINE: usize = 42;

/// The text in lines of even length.
fn lines(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let length = text.chars().count();
    let target = if length <= LINE { LINE } else { (length / length.div_ceil(LINE)).max(LINE / 2) };
    let (mut out, mut line) = (String::new(), 0);
    for word in words {
        let letters = word.chars().count();
        // A line that is nearly full takes the word that fits.
        if line > 0 && (line + 1 + letters > LINE || line >= target) {
            out.push('\n');
            line = 0;
        } else if line > 0 {
            out.push(' ');
            line += 1;
        }
        out.push_str(word);
        line += letters;
    }
    out
}

/// A WebVTT file. What was found wrong of it by no person is told in a note.
pub fn vtt(found: &[Finding], note: Option<&str>) -> String {
    let mut out = String::from("WEBVTT\n");
    if let Some(note) = note {
        let note = note.split_whitespace().collect::<Vec<_>>().join(" ").replace("-->", "->");
        write!(out, "\nNOTE {note}\n").ok();
    }
    for f in found {
        let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let voice = f.speaker.as_ref().map(|s| format!("<v {}>", escaped(s))).unwrap_or_default();
        let (from, to) = (clock(f.from_ms, '.'), clock(f.to_ms, '.'));
        write!(out, "\n{from} --> {to}\n{voice}{}\n", escaped(&lines(&f.text))).ok();
    }
    out
}

/// A SubRip file.
pub fn srt(found: &[Finding]) -> String {
    let mut out = String::new();
    for (n, f) in found.iter().enumerate() {
        let (from, to) = (clock(f.from_ms, ','), clock(f.to_ms, ','));
        write!(out, "{}\n{from} --> {to}\n{}\n\n", n + 1, lines(&f.text).replace("-->", "->")).ok();
    }
    out
}

fn clock(ms: u64, point: char) -> String {
    let s = ms / 1000;
    format!("{:02}:{:02}:{:02}{point}{:03}", s / 3600, s / 60 % 60, s % 60, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let written = "WEBVTT\n\nNOTE no cue\n\nid\n00:01.000 --> 01:00:02.5 align:start\n<v Ana Pérez>A &amp; B</v> 5 < 6\n<c.red>x</c>\n\n00:00:09.000 --> 00:00:08.000\nback\n";
        let found = findings(written).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].from_ms, found[0].to_ms, found[0].text.as_str()), (1000, 3_602_500, "A & B 5 < 6 x"));
        assert_eq!(found[0].speaker.as_deref(), Some("Ana Pérez"));
        assert_eq!(findings(&vtt(&found, Some("by a model --> auto"))).unwrap(), found);
        let without = |f: &Finding| Finding { speaker: None, ..f.clone() };
        assert_eq!(findings(&srt(&found)).unwrap(), found.iter().map(without).collect::<Vec<_>>());
        assert!(findings("no subtitles").is_err());
    }

    #[test]
    fn files_come_in_old_encodings() {
        let utf16: Vec<u8> = [0xfeff].into_iter().chain("año".encode_utf16()).flat_map(u16::to_le_bytes).collect();
        assert_eq!(decoded(&utf16), "año");
        assert_eq!(decoded(b"\xef\xbb\xbfa\xc3\xb1o"), "año");
        assert_eq!(decoded(b"a\xf1o \x80"), "año €");
    }

    #[test]
    fn lines_are_short_and_even() {
        let text = "en un lugar de la Mancha de cuyo nombre no quiero acordarme no ha mucho tiempo";
        let cut = lines(text);
        assert_eq!(cut.lines().count(), 2, "{cut}");
        assert!(cut.lines().all(|l| l.chars().count() <= LINE), "{cut}");
        assert_eq!(cut.replace('\n', " "), text);
        assert_eq!(lines("corto"), "corto");
    }
}
