//! Reasons to doubt what a recognizer says that it heard.

use std::io::Write;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::model::{Finding, Signs};

/// Lines that are said to have been said where nobody spoke.
const INVENTED: &str = include_str!("invented.txt");
/// Text that shrinks to less than this part of itself says the same again and again (Whisper's own bound).
const COMPRESSED: f32 = 2.4;
/// Mean log-probability of its tokens below which it was guessed.
const GUESSED: f32 = -1.0;
/// The same, below which it may be in another language, or not be said at all.
pub(super) const UNSURE: f32 = -0.6;
/// Probability of silence above which, where it was guessed as well, nobody spoke.
const SILENT: f32 = 0.6;
/// Nobody says more letters in a second. Where a sound is cut within a sentence, its end is sometimes made up.
const HURRIED: f32 = 35.0;
/// Most trust in what is doubted.
const DOUBTED: f32 = 0.3;
/// How often the same is said one after the other until it is doubted.
const TIMES: usize = 3;

/// Notes what is to be doubted of a segment by itself, and how much trust it has. Of the signs, its text's compression is told here.
pub(super) fn judge(f: &mut Finding, signs: Signs) {
    let signs = Signs { compression_ratio: compression(&f.text), ..signs };
    let letters = f.text.chars().count() as f32 * 1000.0 / f.to_ms.saturating_sub(f.from_ms).max(1) as f32;
    let mut doubt = |is: bool, word: &str| {
        if is {
            f.doubts.push(word.to_owned());
        }
    };
    doubt(is_invented(&f.text), "invented");
    doubt(signs.compression_ratio > COMPRESSED, "repeated");
    doubt(signs.avg_logprob < GUESSED, "guessed");
    doubt(signs.no_speech_prob > SILENT && signs.avg_logprob < GUESSED, "no_speech");
    doubt(signs.voiced < 0.5, "outside_voice");
    doubt(letters > HURRIED, "hurried");
    let trust = signs.avg_logprob.exp();
    f.trust = Some(if f.doubts.is_empty() { trust } else { trust.min(DOUBTED) });
    f.signs = Some(signs);
}

/// Doubts what was written down in a language that is probably not the one that is spoken.
pub(super) fn language(f: &mut Finding) {
    note(f, "language");
}

/// Doubts what is less than probable, where there is a reason to.
pub(super) fn improbable(f: &mut Finding) {
    if f.signs.is_some_and(|signs| signs.avg_logprob < UNSURE) {
        note(f, "guessed");
    }
}

fn note(f: &mut Finding, word: &str) {
    if f.doubts.iter().all(|known| known != word) {
        f.doubts.push(word.to_owned());
    }
    f.trust = f.trust.map(|t| t.min(DOUBTED));
}

/// Doubts what is said again and again, one segment after the other.
pub(super) fn judge_all(found: &mut [Finding]) {
    let plain: Vec<String> = found.iter().map(|f| plain(&f.text)).collect();
    let mut from = 0;
    while from < found.len() {
        let same = plain[from..].iter().take_while(|text| **text == plain[from]).count();
        if same >= TIMES {
            found[from..from + same].iter_mut().for_each(|f| note(f, "repeated"));
        }
        from += same;
    }
}

/// Lower-case words without accents and marks.
fn plain(text: &str) -> String {
    let folded: String = text.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect();
    let words: Vec<&str> = folded.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    words.join(" ")
}

fn is_invented(text: &str) -> bool {
    let plain = plain(text);
    let known = INVENTED.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    known.into_iter().any(|line| match line.strip_suffix('…') {
        Some(start) => plain.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')),
        None => plain == line,
    })
}

/// How much smaller the text can be written: 1 where it cannot.
fn compression(text: &str) -> f32 {
    // Of a few words, nothing can be told.
    if text.len() < 40 {
        return 1.0;
    }
    let mut small = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    match small.write_all(text.as_bytes()).and_then(|()| small.finish()) {
        Ok(small) => text.len() as f32 / small.len().max(1) as f32,
        Err(_) => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str, avg_logprob: f32, no_speech_prob: f32, voiced: f32) -> Finding {
        let to_ms = text.chars().count() as u64 * 60;
        lasting(to_ms, text, Signs { avg_logprob, no_speech_prob, voiced, ..Signs::default() })
    }

    fn lasting(to_ms: u64, text: &str, signs: Signs) -> Finding {
        let mut f = Finding { text: text.to_owned(), to_ms, ..Finding::default() };
        judge(&mut f, signs);
        f
    }

    #[test]
    fn what_is_invented_guessed_or_said_without_a_voice_has_little_trust() {
        let good = judged("La inflación bajó en marzo.", -0.2, 0.1, 1.0);
        assert!(good.doubts.is_empty() && good.trust.unwrap() > 0.8, "{good:?}");
        let sure = Signs { avg_logprob: -0.1, voiced: 1.0, ..Signs::default() };
        for (f, doubt) in [
            (judged("¡Subtítulos realizados por la comunidad de Amara.org!", -0.1, 0.0, 1.0), "invented"),
            (judged("Subtitulado por Juan", -0.1, 0.0, 1.0), "invented"),
            (judged(&"no no no no ".repeat(12), -0.1, 0.0, 1.0), "repeated"),
            (judged("algo", -1.4, 0.1, 1.0), "guessed"),
            (judged("algo", -1.4, 0.9, 1.0), "no_speech"),
            (judged("algo", -0.2, 0.1, 0.2), "outside_voice"),
            (lasting(1000, "You are the only one who has the right to answer.", sure), "hurried"),
        ] {
            assert!(f.doubts.iter().any(|d| d == doubt) && f.trust.unwrap() <= DOUBTED, "{doubt}: {f:?}");
        }
    }

    #[test]
    fn the_same_line_three_times_is_doubted_and_twice_is_not() {
        let said = |lines: &[&str]| {
            let mut found: Vec<Finding> = lines.iter().map(|l| judged(l, -0.1, 0.0, 1.0)).collect();
            judge_all(&mut found);
            found.iter().filter(|f| !f.doubts.is_empty()).count()
        };
        assert_eq!(said(&["Sí.", "Sí.", "No.", "Sí."]), 0);
        assert_eq!(said(&["Bien.", "Gracias a todos.", "gracias a todos", "Gracias a todos.", "Ya."]), 3);
    }
}
