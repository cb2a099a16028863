//! Spanish or English: told by the words that say nothing.

use std::{collections::HashSet, sync::OnceLock};

/// A language in which names and keywords are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// `es`.
    Spanish,
    /// `en`.
    English,
}

impl Language {
    /// All of them.
    pub const ALL: [Language; 2] = [Language::Spanish, Language::English];

    /// Its BCP 47 tag.
    pub fn tag(self) -> &'static str {
        match self {
            Language::Spanish => "es",
            Language::English => "en",
        }
    }

    /// Of a BCP 47 tag, whatever its region, or of a code of ISO 639-2 or -3. None for another language.
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        match primary.to_ascii_lowercase().as_str() {
            "es" | "spa" => Some(Language::Spanish),
            "en" | "eng" => Some(Language::English),
            _ => None,
        }
    }

    /// The one in which a text seems to be. None where its words do not tell: there are none, or as many of each.
    pub fn of_text(text: &str) -> Option<Self> {
        let [spanish, english] = Self::ALL.map(|language| language.stop_words_in(text));
        match spanish.cmp(&english) {
            std::cmp::Ordering::Greater => Some(Language::Spanish),
            std::cmp::Ordering::Less => Some(Language::English),
            std::cmp::Ordering::Equal => None,
        }
    }

    /// How many of a text's words are this language's words that say nothing.
    pub(super) fn stop_words_in(self, text: &str) -> usize {
        words(text).filter(|word| self.is_stop_word(&word.to_lowercase())).count()
    }

    /// Whether a word in small letters says nothing of what a text is about.
    pub(super) fn is_stop_word(self, lower: &str) -> bool {
        static WORDS: OnceLock<[HashSet<&str>; 2]> = OnceLock::new();
        let [spanish, english] = WORDS.get_or_init(|| {
            [include_str!("stop_es.txt"), include_str!("stop_en.txt")].map(|list| {
                list.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace).collect()
            })
        });
        match self {
            Language::Spanish => spanish.contains(lower),
            Language::English => english.contains(lower),
        }
    }
}

/// The words of a text: runs of letters and digits, with the apostrophes inside of them.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '\'')
        .map(|word| word.trim_matches('\''))
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_tells_its_language() {
        assert_eq!(Language::of_text("El alcalde de la ciudad y su equipo"), Some(Language::Spanish));
        assert_eq!(Language::of_text("The mayor doesn't know it, and he won't"), Some(Language::English));
        assert_eq!(Language::of_text("Juan Pérez"), None);
        assert_eq!(
            ["es-MX", "SPA", "en_US", "fr", ""].map(Language::of_tag),
            [Some(Language::Spanish), Some(Language::Spanish), Some(Language::English), None, None]
        );
    }
}
