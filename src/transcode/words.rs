//! Subtitles that are burned in and are the master's own words: which they are of a master, and as a file for the renderer.

use std::{fs, path::Path};

use crate::{
    digest::Digest,
    error::{Doing, Result},
    model::{FindingKind, Findings},
    profile::{Entry, OwnWords, Piece, Subtitles, WordsBy},
    subtitle,
};

/// What its file is called.
const FILE: &str = "transcript.srt";

fn of(entry: &Entry) -> Option<(&Subtitles, &OwnWords)> {
    let subtitles = entry.brand.as_ref()?.subtitles.as_ref()?;
    Some((subtitles, subtitles.transcript.as_ref()?))
}

/// The entry as it is wanted of a master in which this was found: what is burned in is part of its recipe. None where there are no
/// such words.
pub(super) fn spoken(entry: &Entry, found: &[Findings]) -> Option<Entry> {
    let Some((_, wish)) = of(entry) else { return Some(entry.clone()) };
    let sha256 = Some(Digest::of(&text(wish, found)?));
    let mut entry = entry.clone();
    if let Some(subtitles) = entry.brand.as_mut().and_then(|b| b.subtitles.as_mut()) {
        subtitles.file = Some(Piece { path: FILE.into(), sha256 });
    }
    Some(entry)
}

/// The entry with its words as a file in a folder. None where these are not the words any more that it was planned with: the next
/// plan has the others.
pub(super) fn written(entry: &Entry, found: &[Findings], dir: &Path) -> Result<Option<Entry>> {
    let Some((subtitles, wish)) = of(entry) else { return Ok(Some(entry.clone())) };
    let planned = subtitles.file.as_ref().and_then(|file| file.sha256);
    let Some(text) = text(wish, found).filter(|text| Some(Digest::of(text)) == planned) else { return Ok(None) };
    // Two entries may want two languages.
    let path = dir.join(format!("{}.{FILE}", entry.name));
    fs::write(&path, text).doing(|| format!("cannot write {}", path.display()))?;
    let mut entry = entry.clone();
    if let Some(file) = entry.brand.as_mut().and_then(|b| b.subtitles.as_mut()).and_then(|s| s.file.as_mut()) {
        file.path = path;
    }
    Ok(Some(entry))
}

/// The words as SubRip.
fn text(wish: &OwnWords, found: &[Findings]) -> Option<String> {
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
    let cues = subtitle::captions(said.or_else(translated)?);
    (!cues.is_empty()).then(|| subtitle::srt(&cues))
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
        let has =
            |wish: &OwnWords, found: &[Findings], words: &str| text(wish, found).is_some_and(|t| t.contains(words));
        assert!(has(&wish(None, WordsBy::Anybody), &heard, "Hola."));
        assert!(has(&wish(Some("es"), WordsBy::Anybody), &heard, "Hola."));
        assert!(has(&wish(Some("en"), WordsBy::Anybody), &heard, "Hello."));
        assert_eq!(text(&wish(Some("fr"), WordsBy::Anybody), &heard), None);
        assert_eq!(text(&wish(None, WordsBy::Person), &heard), None);
        assert!(has(&wish(None, WordsBy::Person), &[set(FindingKind::Speech, "es", "¡Hola!", true)], "¡Hola!"));
    }
}
