//! Subtitles that are the master's own words, burned in or beside the pictures of a stream: which they are of a master, and as
//! files for the renderer.

use std::{fs, path::Path};

use crate::{
    digest::Digest,
    error::{Doing, Result},
    model::{FindingKind, Findings},
    profile::{self, Entry, OwnWords, Piece, Spec, Subtitles, TextChoice, WordsBy},
    subtitle,
};

/// What its file is called.
const FILE: &str = "transcript.srt";

/// Words of its master that an entry asks for.
struct Wish<'a> {
    of: &'a OwnWords,
    /// What they are as a file.
    file: &'a mut Option<Piece>,
    /// Whether it is made without them where there are none.
    optional: bool,
    /// What players are told of their language, if it is to be told and the profile does not say it.
    language: Option<&'a mut Option<String>>,
}

fn wishes(entry: &mut Entry) -> Vec<Wish<'_>> {
    let mut all = Vec::new();
    let burned = entry.brand.as_mut().and_then(|b| b.subtitles.as_mut());
    if let Some(Subtitles { transcript: Some(of), file, .. }) = burned {
        all.push(Wish { of, file, optional: false, language: None });
    }
    if let Spec::Stream(stream) = &mut entry.spec {
        for TextChoice { transcript, words, optional, language, .. } in &mut stream.subtitles {
            let Some(of) = transcript.as_ref() else { continue };
            all.push(Wish { of, file: words, optional: *optional, language: Some(language) });
        }
    }
    all
}

/// The entry as it is wanted of a master in which this was found: its words are part of its recipe. None where there are no
/// such words.
pub(super) fn spoken(entry: &Entry, found: &[Findings], length_ms: Option<u64>) -> Option<Entry> {
    let mut entry = entry.clone();
    for Wish { of, file, optional, language } in wishes(&mut entry) {
        let Some((text, spoken)) = text(of, found, length_ms) else {
            *file = None;
            if optional {
                continue;
            }
            return None;
        };
        *file = Some(Piece { path: FILE.into(), sha256: Some(Digest::of(&text)) });
        if let Some(language) = language.filter(|l| l.is_none()) {
            *language = spoken.as_deref().and_then(profile::tag);
        }
    }
    Some(entry)
}

/// The entry with its words as files in a folder. None where these are not the words any more that it was planned with: the next
/// plan has the others.
pub(super) fn written(
    entry: &Entry,
    (found, length_ms): (&[Findings], Option<u64>),
    dir: &Path,
) -> Result<Option<Entry>> {
    let mut entry = entry.clone();
    let name = entry.name.clone();
    for (i, Wish { of, file, .. }) in wishes(&mut entry).into_iter().enumerate() {
        let text = text(of, found, length_ms).map(|(text, _)| text);
        let planned = file.as_ref().and_then(|file| file.sha256);
        if text.as_ref().map(Digest::of) != planned {
            return Ok(None);
        }
        if let (Some(text), Some(file)) = (text, file) {
            file.path = dir.join(format!("{name}.{i}.{FILE}"));
            fs::write(&file.path, text).doing(|| format!("cannot write {}", file.path.display()))?;
        }
    }
    Ok(Some(entry))
}

/// The words as SubRip, and their language.
fn text(wish: &OwnWords, found: &[Findings], length_ms: Option<u64>) -> Option<(String, Option<String>)> {
    let is_of = |f: &&Findings, kind| {
        f.kind == kind && wish.track.is_none_or(|n| n == f.track) && (wish.by == WordsBy::Anybody || f.source.by_hand)
    };
    let language = |f: &Findings| f.language.as_deref().map(primary);
    let said = found.iter().filter(|f| is_of(f, FindingKind::Speech)).find(|f| {
        let wanted = wish.language.as_deref().map(primary);
        wanted.is_none() || wanted == language(f)
    });
    let translated = || {
        let is_english = wish.language.as_deref().map(primary).is_some_and(|l| l == "en");
        found.iter().filter(|f| is_of(f, FindingKind::Translation)).find(|_| is_english)
    };
    let set = said.or_else(translated)?;
    let cues = subtitle::captions(set, length_ms);
    (!cues.is_empty()).then(|| (subtitle::srt(&cues), set.language.clone()))
}

/// `es` of `es-AR`.
fn primary(tag: &str) -> String {
    tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Finding, Source};

    fn set(kind: FindingKind, language: &str, text: &str, by_hand: bool) -> Findings {
        let item = Finding { from_ms: 0, to_ms: 2_000, text: text.to_owned(), ..Finding::default() };
        let source = Source { by_hand, ..Source::person("x") };
        let (master, recipe) = (Digest::of("master"), Digest::of(text));
        Findings { master, kind, track: 1, recipe, language: Some(language.to_owned()), source, items: vec![item] }
    }

    #[test]
    fn the_words_are_those_of_the_language_and_of_whom_was_asked_for() {
        let heard =
            [set(FindingKind::Speech, "es-AR", "Hola.", false), set(FindingKind::Translation, "en", "Hello.", false)];
        let wish = |language: Option<&str>, by| OwnWords { language: language.map(str::to_owned), by, track: None };
        let has = |wish: &OwnWords, found: &[Findings], words: &str| {
            text(wish, found, None).is_some_and(|(t, _)| t.contains(words))
        };
        assert!(has(&wish(None, WordsBy::Anybody), &heard, "Hola."));
        assert!(has(&wish(Some("es"), WordsBy::Anybody), &heard, "Hola."));
        assert!(has(&wish(Some("en"), WordsBy::Anybody), &heard, "Hello."));
        assert_eq!(text(&wish(Some("fr"), WordsBy::Anybody), &heard, None), None);
        assert_eq!(text(&wish(None, WordsBy::Person), &heard, None), None);
        assert!(has(&wish(None, WordsBy::Person), &[set(FindingKind::Speech, "es", "¡Hola!", true)], "¡Hola!"));
    }
}
