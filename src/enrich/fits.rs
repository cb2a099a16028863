//! Whether the models of a profile are for what they are asked for, and those of speech know what is wanted of them, as far as can be
//! told before anything is heard.

use std::collections::BTreeMap;

use super::means::TESSERACT;
use crate::{
    error::{Error, Result},
    models::{self, Known, Spoken, Use},
    profile::{LearnSpeech, Learning},
};

/// Looks at all models of a profile, whether they are here or not. Those that nobody knows anything of may be what they should be.
///
/// `Invalid` names the entry, what is wanted of it and what is possible.
pub fn check_models(wanted: &Learning, known: &BTreeMap<String, Known>) -> Result<()> {
    for (key, name, purpose) in named(wanted) {
        let Some(model) = known.get(name) else { continue };
        model.purpose.must_be(purpose, name).map_err(|e| {
            let others: Vec<&str> =
                known.iter().filter(|(_, m)| m.purpose == purpose).map(|(name, _)| &**name).collect();
            e.within(key).hint(format!("known for {} are {}", purpose.as_str(), others.join(", ")))
        })?;
    }
    let Some(speech) = &wanted.speech else { return Ok(()) };
    let each = [true, false].map(|has_gpu| understands(&speech.on(has_gpu), known));
    each.into_iter().collect::<Result<()>>().map_err(|e| e.within("speech"))
}

/// The models that a profile names, each with its section and what it is to be for.
fn named(wanted: &Learning) -> Vec<(&'static str, &str, Use)> {
    let Learning { speech, text, objects, names, meaning, topics: _, looks: _ } = wanted;
    let mut all: Vec<(&'static str, &str, Use)> = Vec::new();
    if let Some(speech) = speech {
        let models = [Some(&speech.model), speech.without_gpu.as_ref()];
        all.extend(models.into_iter().flatten().map(|name| ("speech", name.as_str(), Use::Speech)));
        all.push(("speech", &speech.voice, Use::Voice));
    }
    let text = text.as_ref().filter(|text| text.model != TESSERACT);
    all.extend(text.map(|text| ("text", text.model.as_str(), Use::Text)));
    all.extend(objects.as_ref().map(|objects| ("objects", objects.model.as_str(), Use::Objects)));
    all.extend(names.iter().flat_map(|names| &names.models).map(|name| ("names", name.as_str(), Use::Names)));
    all.extend(meaning.as_ref().map(|meaning| ("meaning", meaning.model.as_str(), Use::Meaning)));
    all
}

/// Whether the model knows what is wanted. One that nobody knows anything of may.
pub(super) fn understands(speech: &LearnSpeech, known: &BTreeMap<String, Known>) -> Result<()> {
    let name = &speech.model;
    let has = models::spoken_by(name, known);
    let asked = || speech.languages.iter().map(String::as_str);
    let lacking: Vec<&str> = asked().filter(|l| has.as_ref().is_some_and(|has| !has.contains(l))).collect();
    let fits = |(_, model): &(&String, &Known)| {
        model.spoken().is_some_and(|has| matches!(has, Spoken::Many(_)) && asked().all(|l| has.contains(l)))
            && (model.translates || !speech.translate)
    };
    let why = match &has {
        Some(has) if !lacking.is_empty() => format!("knows {has}, and 'languages' asks for {}", lacking.join(", ")),
        Some(Spoken::Just(all)) if speech.translate && *all == ["en"] => {
            "knows en alone, and it cannot translate".to_owned()
        }
        _ if speech.translate && !models::translates(name, known) => "was not taught to translate".to_owned(),
        _ => return Ok(()),
    };
    let others: Vec<String> = known
        .iter()
        .filter(fits)
        .filter_map(|(name, model)| Some(format!("{name} ({})", model.languages.as_deref()?)))
        .collect();
    let kept = match &has {
        Some(Spoken::Just(all)) => format!("with 'languages: [{}]' and no 'translate'", all.join(", ")),
        _ if lacking.is_empty() => "without 'translate'".to_owned(),
        _ => format!("without {}", lacking.join(", ")),
    };
    let instead = match others.is_empty() {
        true => String::new(),
        false => format!("a model that can do that: {}; or ", others.join(", ")),
    };
    Err(Error::invalid(format!("the model '{name}' {why}")).hint(format!("{instead}keep it, {kept}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(speech: LearnSpeech) -> Option<Error> {
        let wanted = Learning { speech: Some(speech), ..Learning::default() };
        check_models(&wanted, &models::known().unwrap()).err()
    }

    fn told(speech: LearnSpeech) -> Option<String> {
        check(speech).map(|e| e.one_line())
    }

    fn speech(model: &str, languages: &[&str]) -> LearnSpeech {
        LearnSpeech {
            model: model.to_owned(),
            languages: languages.iter().map(|l| (*l).to_owned()).collect(),
            ..LearnSpeech::default()
        }
    }

    #[test]
    fn a_model_of_english_alone_is_no_model_of_spanish_whichever_list_names_it() {
        let why = "speech: the model 'whisper-tiny.en' knows en alone, and 'languages' asks for es";
        assert_eq!(told(speech("whisper-tiny.en", &["es", "en"])).as_deref(), Some(why));
        // It is in no list: its name tells.
        assert!(told(speech("my-medium.en", &["fr"])).is_some_and(|why| why.ends_with("asks for fr")));
        let both = LearnSpeech { without_gpu: Some("whisper-tiny.en".to_owned()), ..speech("whisper-base", &["es"]) };
        assert_eq!(told(both).as_deref(), Some(why));
        let translated = LearnSpeech { translate: true, ..speech("whisper-tiny.en", &["en"]) };
        assert!(told(translated).is_some_and(|why| why.ends_with("it cannot translate")));
        for fits in [
            speech("whisper-tiny.en", &["en"]),
            speech("whisper-tiny.en", &[]),
            speech("whisper-base", &["es", "fr"]),
            speech("my-own", &["es"]),
        ] {
            assert_eq!(told(fits.clone()), None, "{fits:?}");
        }
    }

    #[test]
    fn cantonese_is_known_to_models_of_a_hundred_languages_alone() {
        let why = "speech: the model 'whisper-base' knows 99 languages, and 'languages' asks for yue";
        assert_eq!(told(speech("whisper-base", &["es", "yue"])).as_deref(), Some(why));
        let hint = check(speech("whisper-base", &["yue"])).unwrap().hint_text().unwrap_or_default().to_owned();
        assert!(
            hint.starts_with("a model that can do that: whisper-large-v3-turbo (es, en and 98 more); or"),
            "{hint}"
        );
        assert_eq!(told(speech("whisper-large-v3-turbo", &["es", "yue"])), None);
        assert_eq!(told(speech("whisper-base", &["zh", "haw"])), None);
    }

    #[test]
    fn for_translation_no_model_is_named_that_cannot_translate() {
        let translated = |model: &str| LearnSpeech { translate: true, ..speech(model, &["en"]) };
        for (model, why) in [
            ("whisper-tiny.en", "knows en alone, and it cannot translate"),
            ("whisper-large-v3-turbo", "was not taught to translate"),
            ("my-turbo", "was not taught to translate"),
        ] {
            let error = check(translated(model)).unwrap();
            assert_eq!(error.one_line(), format!("speech: the model '{model}' {why}"));
            let hint = error.hint_text().unwrap_or_default();
            assert!(hint.contains("whisper-base (") && !hint.contains("turbo"), "{hint}");
        }
        assert_eq!(told(translated("whisper-base")), None);
    }

    #[test]
    fn a_model_for_something_else_is_refused_in_every_section() {
        let wanted = |yaml: &str| serde_json::from_value::<Learning>(serde_json::from_str(yaml).unwrap()).unwrap();
        let known = models::known().unwrap();
        for (json, why) in [
            (
                r#"{"speech":{"model":"pp-ocr-v6-small"}}"#,
                "speech: the model 'pp-ocr-v6-small' is for text, and not for speech",
            ),
            (
                r#"{"speech":{"without_gpu":"silero-vad"}}"#,
                "speech: the model 'silero-vad' is for voice, and not for speech",
            ),
            (
                r#"{"speech":{"voice":"whisper-base"}}"#,
                "speech: the model 'whisper-base' is for speech, and not for voice",
            ),
            (r#"{"text":{"model":"whisper-base"}}"#, "text: the model 'whisper-base' is for speech, and not for text"),
            (
                r#"{"objects":{"model":"onnxruntime"}}"#,
                "objects: the model 'onnxruntime' is for runtime, and not for objects",
            ),
            (
                r#"{"names":{"models":["es-core-news-sm","whisper-base"]}}"#,
                "names: the model 'whisper-base' is for speech, and not for names",
            ),
            (
                r#"{"meaning":{"model":"en-core-web-sm"}}"#,
                "meaning: the model 'en-core-web-sm' is for names, and not for meaning",
            ),
        ] {
            assert_eq!(check_models(&wanted(json), &known).unwrap_err().one_line(), why);
        }
        let fine = r#"{"speech":{"model":"mine"},"text":{"model":"tesseract"},"objects":{},"names":{},"meaning":{}}"#;
        check_models(&wanted(fine), &known).unwrap();
    }
}
