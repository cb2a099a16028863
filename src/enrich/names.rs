//! Names in words.

use super::question::{Found, Name};
use crate::{
    error::Result,
    model::{Finding, FindingKind},
    names::{Language, Passage, Recognizers, keywords, merge},
    stop::Stop,
};

/// Who and what is named in these texts.
pub(super) fn name(recognizers: &Recognizers, asked: &Name, stop: &Stop) -> Result<Vec<Found>> {
    let passages: Vec<Passage> = asked
        .texts
        .iter()
        .map(|t| {
            let (from_ms, to_ms) = t.span_ms.unwrap_or_default();
            Passage { text: t.text.clone(), language: t.language.clone(), from_ms, to_ms, trust: None }
        })
        .collect();
    let merged = merge(&recognizers.mentions(&passages, stop)?);
    let mut found: Vec<Found> = merged.into_iter().map(|(kind, items)| Found { kind, track: 0, items }).collect();
    let all: Vec<&str> = asked.texts.iter().map(|t| t.text.as_str()).collect();
    let text = all.join("\n");
    let told = asked.texts.iter().find_map(|t| t.language.as_deref()).and_then(Language::of_tag);
    let language = told.or_else(|| Language::of_text(&text));
    let words = keywords(&text, language, asked.keywords as usize);
    let items = words.into_iter().map(|(text, weight)| Finding {
        text,
        trust: Some(weight.clamp(0.0, 1.0)),
        language: language.map(|l| l.tag().to_owned()),
        ..Finding::default()
    });
    found.push(Found { kind: FindingKind::Keyword, track: 0, items: items.collect() });
    Ok(found)
}
