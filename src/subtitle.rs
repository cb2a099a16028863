//! Subtitles as SubRip and WebVTT write them: read from files that people bring, written for players.

use std::fmt::Write;

use crate::{
    error::{Error, Result},
    model::{Finding, FindingKind, Findings, Word},
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
            Finding { from_ms, to_ms, text, speaker, ..Finding::default() }
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

/// Most letters at once: two lines.
const LETTERS: usize = 2 * LINE;
/// How long a subtitle stays, in milliseconds, by the habits of broadcasters.
const SHORTEST: u64 = 1_000;
const LONGEST: u64 = 7_000;
/// Time between two of them, in milliseconds, so that the change is seen: two pictures.
const BETWEEN: u64 = 80;
/// Letters that are read in a second.
const READ: u64 = 20;
/// A pause in what is said, in milliseconds, after which another subtitle begins.
const PAUSE: u64 = 1_000;

/// What a model heard as subtitles: two lines at most, long enough to be read where there is time for it, cut where sentences,
/// phrases or pauses end. What a person wrote stays as it is. None is shown after the end of what they are of (`length_ms`),
/// where that is known.
pub fn captions(found: &Findings, length_ms: Option<u64>) -> Vec<Finding> {
    let mut out = if found.source.by_hand { found.items.clone() } else { cut_up(&found.items) };
    let end = length_ms.unwrap_or(u64::MAX);
    out.retain(|f| f.from_ms < end);
    out.iter_mut().for_each(|f| f.to_ms = f.to_ms.min(end));
    out
}

/// Trust below which what was guessed is no subtitle.
const LEAST_TRUST: f32 = 0.2;

/// Whether a line can be put into somebody's mouth: what was probably never said cannot.
fn is_probable(f: &Finding) -> bool {
    f.doubts.is_empty() || (f.doubts.iter().all(|d| d == "guessed") && f.trust.is_none_or(|t| t >= LEAST_TRUST))
}

fn cut_up(items: &[Finding]) -> Vec<Finding> {
    let mut out: Vec<Finding> = Vec::new();
    for f in items.iter().filter(|f| is_probable(f)) {
        let words = if f.words.is_empty() { evenly(f) } else { f.words.clone() };
        let mut rest = words.as_slice();
        while !rest.is_empty() {
            let (cue, after) = rest.split_at(cut(rest));
            let text = cue.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(" ");
            let (from_ms, to_ms) = (cue[0].from_ms, cue[cue.len() - 1].to_ms);
            out.push(Finding { from_ms, to_ms, text, words: Vec::new(), ..f.clone() });
            rest = after;
        }
    }
    let starts: Vec<u64> = out.iter().map(|f| f.from_ms).collect();
    for (i, f) in out.iter_mut().enumerate() {
        let next = starts.get(i + 1).map_or(u64::MAX, |next| next.saturating_sub(BETWEEN));
        let wanted = SHORTEST.max(f.text.chars().count() as u64 * 1000 / READ).min(LONGEST);
        f.to_ms = f.to_ms.max(f.from_ms + wanted).min(next.max(f.from_ms + 1)).min(f.from_ms + LONGEST.max(wanted));
    }
    out
}

/// Words with times by their lengths, where none are known.
fn evenly(f: &Finding) -> Vec<Word> {
    let letters = f.text.chars().count().max(1) as u64;
    let (mut at, mut out) = (0_u64, Vec::new());
    for word in f.text.split_whitespace() {
        let time = |at: u64| f.from_ms + f.to_ms.saturating_sub(f.from_ms) * at.min(letters) / letters;
        let end = at + word.chars().count() as u64;
        out.push(Word { from_ms: time(at), to_ms: time(end), text: word.to_owned(), trust: None });
        at = end + 1;
    }
    out
}

/// How many of these words are one subtitle.
fn cut(words: &[Word]) -> usize {
    let (mut letters, mut best) = (0, (0, 0));
    let mut text = String::new();
    for (i, word) in words.iter().enumerate() {
        if i > 0 {
            text.push(' ');
        }
        text.push_str(&word.text);
        letters += word.text.chars().count() + usize::from(i > 0);
        if i > 0 && (letters > LETTERS || lines(&text).lines().count() > 2 || word.to_ms > words[0].from_ms + LONGEST) {
            // Where a phrase ends, if that is not too soon.
            return if best.1 > 0 { best.1 } else { i };
        }
        let is_last = i + 1 == words.len();
        if !is_last && words[i + 1].from_ms >= word.to_ms + PAUSE {
            return i + 1;
        }
        let weight = match word.text.chars().last() {
            Some('.' | '?' | '!' | '…') if letters >= LINE / 2 => 3,
            Some(',' | ';' | ':') if letters >= LINE => 2,
            _ if letters >= LINE + LINE / 2 => 1,
            _ => 0,
        };
        if weight > 0 && weight >= best.0 {
            best = (weight, i + 1);
        }
        // The whole of a short sentence is one.
        if weight == 3 && letters >= LINE {
            return i + 1;
        }
    }
    words.len()
}

/// What a player is not shown: that no person has read what a model heard.
pub(crate) fn note(found: &Findings) -> Option<String> {
    let language = found.language.as_deref().unwrap_or("und");
    let how = if found.kind == FindingKind::Translation { "translated" } else { "written" };
    (!found.source.by_hand).then(|| format!("{language}, {how} by {} and read by nobody", found.source.name))
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
    use crate::model::Source;

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
    fn what_was_heard_is_cut_into_subtitles_that_can_be_read() {
        let text = "Buenas noches. La inflación bajó en marzo al tres por ciento, dijo el ministro de Economía en Buenos Aires, y \
                    añadió que los precios de los alimentos siguen altos.";
        let item = Finding { from_ms: 10_000, to_ms: 22_000, text: text.to_owned(), ..Finding::default() };
        let source = Source { by_hand: false, ..Source::person("model") };
        let (kind, digest) = (crate::model::FindingKind::Speech, crate::digest::Digest::of("x"));
        let found =
            Findings { master: digest, kind, track: 1, recipe: digest, language: None, source, items: vec![item] };
        let cues = captions(&found, None);
        assert_eq!(cues.iter().map(|c| c.text.as_str()).collect::<Vec<_>>().join(" "), text);
        for cue in &cues {
            let length = cue.to_ms - cue.from_ms;
            assert!(lines(&cue.text).lines().count() <= 2 && (1000..=7000).contains(&length), "{cue:?}");
        }
        assert!(cues.windows(2).all(|two| two[0].to_ms + BETWEEN <= two[1].from_ms), "{cues:?}");
        assert!(cues[0].text.ends_with(['.', ',']), "{cues:?}");
        let by_hand = Findings { source: Source::person("x.srt"), ..found.clone() };
        assert_eq!(captions(&by_hand, None), found.items);

        // What has ended shows nothing more, whoever wrote it.
        assert!(captions(&found, Some(21_000)).iter().all(|cue| cue.to_ms <= 21_000));
        assert_eq!(captions(&by_hand, Some(21_000))[0].to_ms, 21_000);
        assert_eq!(captions(&found, Some(10_000)), []);
        // What was guessed is shown if there is some trust in it.
        let guessed = |trust| {
            let doubts = vec!["guessed".to_owned()];
            let items = vec![Finding { doubts, trust: Some(trust), ..found.items[0].clone() }];
            captions(&Findings { items, ..found.clone() }, None).is_empty()
        };
        assert_eq!((guessed(0.018), guessed(0.25)), (true, false));
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
