//! Words on the picture, as a script of Advanced SubStation Alpha: what libass draws. What is written by people is text there
//! and nothing else; only an `.ass` of their own may carry its commands.

use std::fmt::Write as _;

use super::text;
use crate::{
    error::{Error, Result},
    profile::{Brand, Color, Place, Style},
    subtitle,
};

/// How long a text takes to come and to go, in milliseconds.
const FADE: u32 = 250;
/// What a file of subtitles may hold.
const MOST: u64 = 16 << 20;

/// One subtitle, in milliseconds.
#[derive(Debug, PartialEq)]
struct Cue {
    from: u64,
    to: u64,
    /// With the script's own commands for italics, bold and underline.
    text: String,
}

/// The script of all of a brand's words for films of this size; none, where it has none.
pub(crate) fn script(brand: &Brand, (width, height): (u32, u32)) -> Result<Option<String>> {
    let (mut styles, mut events) = (String::new(), String::new());
    if let Some((subtitles, file)) = brand.subtitles.as_ref().and_then(|s| Some((s, s.file.as_ref()?))) {
        let path = &file.path;
        let written = text(path, MOST)?;
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("ass")) {
            if !brand.texts.is_empty() {
                return Err(Error::invalid(
                    "texts cannot be put beside subtitles that come with styles of their own (.ass)",
                ));
            }
            return Ok(Some(written));
        }
        let cues = cues(&written);
        if cues.is_empty() && !written.trim().is_empty() && written.trim() != "WEBVTT" {
            return Err(Error::invalid(format!("no subtitle can be read in {}", path.display()))
                .hint("SubRip (.srt), WebVTT (.vtt) and .ass are known"));
        }
        style_line(&mut styles, "subtitles", &subtitles.style, height);
        for cue in cues {
            event(&mut events, "subtitles", cue.from, cue.to, &cue.text);
        }
    }
    for (number, caption) in brand.texts.iter().enumerate() {
        let name = format!("text{number}");
        style_line(&mut styles, &name, &caption.style, height);
        let (from, to) = (caption.from.map_or(0, |i| i.0), caption.to.map_or(u32::MAX / 2, |i| i.0));
        let said = format!("{{\\fad({FADE},{FADE})}}{}", plain(&caption.text));
        event(&mut events, &name, from.into(), to.into(), &said);
    }
    if events.is_empty() {
        return Ok(None);
    }
    Ok(Some(format!(
        "[Script Info]\nScriptType: v4.00+\nWrapStyle: 0\nScaledBorderAndShadow: yes\nYCbCr Matrix: TV.709\nPlayResX: {width}\nPlayResY: {height}\n\n\
         [V4+ Styles]\nFormat: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, \
         Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, \
         Encoding\n{styles}\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n{events}"
    )))
}

fn style_line(styles: &mut String, name: &str, style: &Style, height: u32) {
    let size = style.size.of(height);
    let is_boxed = style.background.0[3] > 0;
    // A box is drawn in the outline's color, and as much wider than the letters as an outline would be.
    let (border, outline, color) = match is_boxed {
        true => (3, size * 0.2, style.background),
        false => (1, size * 0.06, style.outline),
    };
    let alignment = match style.place {
        Place::BottomLeft => 1,
        Place::Bottom => 2,
        Place::BottomRight => 3,
        Place::Left => 4,
        Place::Center => 5,
        Place::Right => 6,
        Place::TopLeft => 7,
        Place::Top => 8,
        Place::TopRight => 9,
    };
    let (letters, edge, bold) = (code(style.color), code(color), if style.bold { -1 } else { 0 });
    let margin = style.margin.of(height).round();
    writeln!(
        styles,
        "Style: {name},{},{size:.1},{letters},{letters},{edge},{edge},{bold},0,0,0,100,100,0,0,{border},{outline:.1},0,{alignment},{margin},{margin},{margin},1",
        style.font
    )
    .ok();
}

/// A color as scripts have it: transparency, blue, green, red.
fn code(color: Color) -> String {
    let [r, g, b, a] = color.0;
    format!("&H{:02X}{b:02X}{g:02X}{r:02X}", 255 - a)
}

fn event(events: &mut String, style: &str, from: u64, to: u64, text: &str) {
    writeln!(events, "Dialogue: 0,{},{},{style},,0,0,0,,{text}", time(from), time(to)).ok();
}

fn time(ms: u64) -> String {
    let hundredths = ms / 10;
    format!(
        "{}:{:02}:{:02}.{:02}",
        hundredths / 360_000,
        hundredths / 6000 % 60,
        hundredths / 100 % 60,
        hundredths % 100
    )
}

/// Text in which nothing is a command.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim().chars() {
        match c {
            '\n' => out.push_str("\\N"),
            // What follows it is no command when something that cannot be seen stands between.
            '\\' => out.push_str("\\\u{2060}"),
            '{' => out.push_str("\\{"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// The cues of a SubRip or WebVTT file. What is not one is left out, as players do.
fn cues(written: &str) -> Vec<Cue> {
    let each = |cue: subtitle::Cue| {
        let (place, words) = placed(&cue.text);
        let text = format!("{place}{}", marked(&words));
        (text.len() > place.len()).then_some(Cue { from: cue.from_ms, to: cue.to_ms, text })
    };
    subtitle::cues(written).into_iter().filter_map(each).collect()
}

/// What SubRip files borrow from the script's own commands: where the words are (`{\an8}`) is kept, all else left out.
fn placed(text: &str) -> (String, String) {
    let (mut place, mut words, mut rest) = (String::new(), String::new(), text);
    while let Some((before, command)) = rest.split_once("{\\") {
        let Some((command, after)) = command.split_once('}') else { break };
        words.push_str(before);
        rest = after;
        if let Some(number) = command.strip_prefix("an").filter(|n| matches!(n.as_bytes(), [b'1'..=b'9'])) {
            place = format!("{{\\an{number}}}");
        }
    }
    (place, words + rest)
}

/// Text with its `<i>`, `<b>` and `<u>`; other marks are left out.
fn marked(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(start) = rest.find('<') {
        let Some(length) = rest[start..].find('>') else { break };
        let mark = &rest[start + 1..start + length];
        if !mark.trim_start_matches('/').starts_with(|c: char| c.is_ascii_alphabetic()) {
            // Less than, and no mark.
            out.push_str(&plain_piece(&rest[..=start]));
            rest = &rest[start + 1..];
            continue;
        }
        out.push_str(&plain_piece(&rest[..start]));
        let (name, on) = mark.strip_prefix('/').map_or((mark, 1), |name| (name, 0));
        let name = name.split(['.', ' ']).next().unwrap_or_default().to_ascii_lowercase();
        if matches!(name.as_str(), "i" | "b" | "u") {
            out.push_str(&format!("{{\\{name}{on}}}"));
        }
        rest = &rest[start + length + 1..];
    }
    out.push_str(&plain_piece(rest));
    out
}

/// The same as [`plain`], with the white space at both ends kept.
fn plain_piece(text: &str) -> String {
    let unescaped = text.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u{a0}").replace("&amp;", "&");
    let kept = unescaped.trim();
    let start = unescaped.len() - unescaped.trim_start().len();
    let (before, after) = (&unescaped[..start], &unescaped[start + kept.len()..]);
    let space = |s: &str| s.replace('\n', "\\N");
    format!("{}{}{}", space(before), plain(kept), space(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subrip_and_webvtt_are_read() {
        let srt = "1\r\n00:00:01,500 --> 00:00:03,000\r\n<i>Guten</i> Tag\r\n{\\an8}{\\fs90}zweite {x\r\n\r\n2\r\n00:00:05,000 --> 00:00:04,000\r\nrückwärts\r\n";
        let read = cues(srt);
        assert_eq!(read, [Cue { from: 1500, to: 3000, text: "{\\an8}{\\i1}Guten{\\i0} Tag\\Nzweite \\{x".to_owned() }]);
        let vtt =
            "WEBVTT\n\nNOTE no cue\n\nid\n00:01.000 --> 01:00:02.5 align:start\n<v Ann>A &amp; B</v>\n<c.red>x</c>\n";
        assert_eq!(cues(vtt), [Cue { from: 1000, to: 3_602_500, text: "A & B\\Nx".to_owned() }]);
    }

    #[test]
    fn what_people_write_is_no_command() {
        assert_eq!(plain("{\\fs900}a\nb\u{7}"), "\\{\\\u{2060}fs900}a\\Nb");
        assert_eq!(marked("5 < 6 and 7 > 3 <b>x</b>"), "5 < 6 and 7 > 3 {\\b1}x{\\b0}");
        assert_eq!(time(3_661_250), "1:01:01.25");
        assert_eq!(code(Color([0x11, 0x22, 0x33, 0xff])), "&H00332211");
    }
}
