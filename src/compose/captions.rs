//! Spoken words as captions: cut into pieces that can be read, each shown for its share of the time that the words take.

use std::fmt::Write as _;

/// Most characters of a line, and most lines at a time: what broadcasters' guidelines have in common.
const LINE: usize = 42;
const LINES: usize = 2;

/// Words, and when they are shown, in milliseconds.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Cue {
    /// When they come.
    pub from_ms: u64,
    /// When they go.
    pub to_ms: u64,
    /// One line or two.
    pub text: String,
}

/// The captions of a text that is spoken from a time to a time.
pub(super) fn cues(text: &str, from_ms: u64, to_ms: u64) -> Vec<Cue> {
    let pieces = pieces(text);
    let weight = |piece: &str| piece.chars().count().max(1) as u64;
    let whole: u64 = pieces.iter().map(|p| weight(p)).sum();
    let (mut cues, mut before) = (Vec::new(), 0);
    let at = |share: u64| from_ms + (to_ms - from_ms) * share / whole.max(1);
    for piece in pieces {
        let after = before + weight(&piece);
        cues.push(Cue { from_ms: at(before), to_ms: at(after), text: piece });
        before = after;
    }
    cues
}

/// A text in pieces of at most two lines. A sentence begins a new one.
fn pieces(text: &str) -> Vec<String> {
    let (mut pieces, mut lines, mut line) = (Vec::new(), Vec::<String>::new(), String::new());
    let mut is_end = false;
    for word in text.split_whitespace() {
        let length = line.chars().count() + usize::from(!line.is_empty()) + word.chars().count();
        let ends = std::mem::take(&mut is_end);
        if ends || (length > LINE && !line.is_empty()) {
            lines.push(std::mem::take(&mut line));
        }
        if ends || lines.len() == LINES {
            pieces.push(std::mem::take(&mut lines).join("\n"));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        is_end =
            word.trim_end_matches(['"', '\'', '”', '’', ')', '»']).ends_with(['.', '!', '?', '…', '。', '！', '？']);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    if !lines.is_empty() {
        pieces.push(lines.join("\n"));
    }
    pieces
}

fn time(ms: u64, point: char) -> String {
    format!("{:02}:{:02}:{:02}{point}{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

/// As WebVTT, the cues later by so much.
pub(super) fn webvtt(cues: &[Cue], later_ms: u64) -> String {
    let mut text = "WEBVTT\n".to_owned();
    for cue in cues {
        let words = cue.text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let (from, to) = (time(cue.from_ms + later_ms, '.'), time(cue.to_ms + later_ms, '.'));
        write!(text, "\n{from} --> {to}\n{words}\n").ok();
    }
    text
}

/// As SubRip, the cues later by so much.
pub(super) fn subrip(cues: &[Cue], later_ms: u64) -> String {
    let mut text = String::new();
    for (number, cue) in cues.iter().enumerate() {
        let (from, to) = (time(cue.from_ms + later_ms, ','), time(cue.to_ms + later_ms, ','));
        write!(text, "{}\n{from} --> {to}\n{}\n\n", number + 1, cue.text).ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_where_they_can_be_read() {
        let text = "Good evening. The river rose by two meters in a single night, and three bridges are closed. \
                    Trains run again on Monday!";
        let cues = cues(text, 1000, 11_000);
        let texts: Vec<&str> = cues.iter().map(|c| c.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "Good evening.",
                "The river rose by two meters in a single\nnight, and three bridges are closed.",
                "Trains run again on Monday!",
            ]
        );
        assert_eq!((cues[0].from_ms, cues[2].to_ms), (1000, 11_000));
        assert!(cues.windows(2).all(|w| w[0].to_ms == w[1].from_ms));
        assert!(cues.iter().flat_map(|c| c.text.lines()).all(|l| l.chars().count() <= LINE));
        assert!(webvtt(&cues, 500).starts_with("WEBVTT\n\n00:00:01.500 --> "));
        assert!(subrip(&cues, 0).starts_with("1\n00:00:01,000 --> "));
        assert_eq!(pieces(&"x".repeat(100)), ["x".repeat(100)]);
        assert_eq!(pieces(" "), [""; 0]);
    }
}
