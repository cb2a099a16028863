//! What each kind of place takes and allows, from one dated file.

use std::{collections::BTreeMap, sync::OnceLock};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    model::{MediaFacts, MediaKind, Rate, Words},
    profile::channels::{Bounds, Form, Place},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    as_of: String,
    places: BTreeMap<String, Limits>,
}

/// What a kind of place takes and allows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Where that is written.
    pub docs: String,
    /// What it needs to be used, for people.
    pub needs: String,
    /// By kind of media; what is not named is not taken.
    pub media: BTreeMap<MediaKind, Option<Bounds>>,
    /// Whether subtitles go with it.
    pub captions: bool,
    /// Whether a picture goes with it.
    pub thumbnail: bool,
    /// Whether it takes packages of several files.
    pub packages: bool,
    /// Of the title.
    pub title: TextLimits,
    /// Of the text below it.
    pub description: TextLimits,
    /// Of the keywords.
    pub tags: TagLimits,
    /// What `privacy` may be; none: it has no such thing.
    pub privacy: Vec<String>,
    /// How often an account may publish.
    pub rates: Vec<Rate>,
    /// A profile entry that makes what it takes.
    pub entry: Option<String>,
}

/// Limits of a text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TextLimits {
    /// Whether there has to be one.
    pub required: bool,
    /// Characters.
    pub most: Option<usize>,
    /// Bytes in UTF-8.
    pub most_bytes: Option<usize>,
    /// Code units in UTF-16.
    pub most_utf16: Option<usize>,
    /// Characters that are not taken.
    pub forbidden: String,
}

/// Limits of keywords.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TagLimits {
    /// How many.
    pub most: Option<usize>,
    /// Characters of all together, with what separates and quotes them.
    pub most_total: Option<usize>,
}

fn file() -> Result<&'static File> {
    static FILE: OnceLock<std::result::Result<File, String>> = OnceLock::new();
    let read = || serde_saphyr::from_str(include_str!("limits.yaml")).map_err(|e| e.to_string());
    FILE.get_or_init(read).as_ref().map_err(|e| Error::internal(format!("limits.yaml: {e}")))
}

/// The day of which the limits are: `2026-11-29`.
pub fn as_of() -> Result<&'static str> {
    Ok(&file()?.as_of)
}

/// What a place takes and allows.
pub fn limits(place: &Place) -> Result<&'static Limits> {
    let kind = match place {
        Place::Facebook(page) if page.form == Form::Reel => "facebook_reel",
        _ => place.kind(),
    };
    file()?.places.get(kind).ok_or_else(|| Error::internal(format!("limits.yaml does not know '{kind}'")))
}

impl Limits {
    /// What stands in the way of this media; empty when nothing does.
    pub fn against_media(&self, own: Option<&Bounds>, facts: &MediaFacts, files: usize, bytes: u64) -> Vec<String> {
        let kind = if facts.kind == MediaKind::Animation { MediaKind::Image } else { facts.kind };
        let Some(bounds) = self.media.get(&kind).and_then(Option::as_ref) else {
            return vec![format!("it takes no {}", facts.kind)];
        };
        let mut out = Vec::new();
        if files > 1 && !self.packages {
            out.push(format!("it takes one file, and this rendition has {files}"));
        }
        for bounds in [Some(bounds), own].into_iter().flatten() {
            bounds.against(facts, bytes, &mut out);
        }
        out
    }

    /// What stands in the way of these words.
    pub fn against_words(&self, words: &Words) -> Vec<String> {
        let mut out = Vec::new();
        self.title.against("title", &words.title, &mut out);
        self.description.against("description", &words.description, &mut out);
        if let Some(most) = self.tags.most.filter(|most| words.tags.len() > *most) {
            out.push(format!("{} tags: {most} at most", words.tags.len()));
        }
        // A tag with a space is quoted, and they are separated by commas.
        let length = |tag: &String| tag.chars().count() + if tag.contains(' ') { 2 } else { 0 };
        let total: usize = words.tags.iter().map(length).sum::<usize>() + words.tags.len().saturating_sub(1);
        if let Some(most) = self.tags.most_total.filter(|most| total > *most) {
            out.push(format!("tags of {total} characters together: {most} at most"));
        }
        if let Some(privacy) = words.privacy.as_ref().filter(|p| !self.privacy.is_empty() && !self.privacy.contains(p))
        {
            out.push(format!("privacy '{privacy}': expected one of {}", self.privacy.join(", ")));
        }
        out
    }
}

impl TextLimits {
    fn against(&self, name: &str, text: &str, out: &mut Vec<String>) {
        if self.required && text.trim().is_empty() {
            out.push(format!("there is no {name}"));
        }
        let counts = [
            (self.most, text.chars().count(), "characters"),
            (self.most_bytes, text.len(), "bytes"),
            (self.most_utf16, text.encode_utf16().count(), "UTF-16 code units"),
        ];
        for (most, count, unit) in counts {
            if let Some(most) = most.filter(|most| count > *most) {
                out.push(format!("a {name} of {count} {unit}: {most} at most"));
            }
        }
        if let Some(c) = text.chars().find(|c| self.forbidden.contains(*c)) {
            out.push(format!("'{c}' in the {name}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    #[test]
    fn every_place_has_limits_and_what_it_suggests_is_a_profile_entry() {
        let file = file().unwrap();
        for (kind, limits) in &file.places {
            assert!(limits.docs.starts_with("https://") && !limits.needs.is_empty(), "{kind}");
            if let Some(entry) = &limits.entry {
                let indented: String = entry.lines().map(|line| format!("  {line}\n")).collect();
                Profile::parse(&format!("video:\n{indented}"), kind).unwrap();
            }
        }
        assert_eq!(file.places.len(), 14);
    }

    #[test]
    fn words_are_counted_as_the_place_counts_them() {
        let youtube = &file().unwrap().places["youtube"];
        let words = Words { title: "ñ".repeat(100), description: "ñ".repeat(2500), ..Words::default() };
        assert_eq!(youtube.against_words(&words), Vec::<String>::new());
        let words = Words { title: String::new(), description: "ñ".repeat(2501), ..Words::default() };
        assert_eq!(youtube.against_words(&words), ["there is no title", "a description of 5002 bytes: 5000 at most"]);
        let words = Words { title: "a <b>".to_owned(), privacy: Some("secret".to_owned()), ..Words::default() };
        assert_eq!(
            youtube.against_words(&words),
            ["'<' in the title", "privacy 'secret': expected one of public, unlisted, private"]
        );
    }
}
