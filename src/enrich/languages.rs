//! Whether the models of a profile's speech know the languages that it asks for, as far as can be told before anything is heard.

use std::collections::BTreeMap;

use crate::{
    error::{Error, Result},
    models::{self, Known},
    profile::{LearnSpeech, Learning},
};

/// Looks at all models of a profile's speech, whether they are here or not.
///
/// `Invalid` names the entry, what is wanted of it and what is possible.
pub fn check_languages(wanted: &Learning, known: &BTreeMap<String, Known>) -> Result<()> {
    let Some(speech) = &wanted.speech else { return Ok(()) };
    let each = [true, false].map(|has_gpu| understands(&speech.on(has_gpu), known));
    each.into_iter().collect::<Result<()>>().map_err(|e| e.within("speech"))
}

/// Whether the model knows what is wanted. One that nobody knows anything of may.
pub(super) fn understands(speech: &LearnSpeech, known: &BTreeMap<String, Known>) -> Result<()> {
    let Some(has) = models::languages_of(&speech.model, known) else { return Ok(()) };
    let lacking: Vec<&str> = speech.languages.iter().map(String::as_str).filter(|l| !has.contains(l)).collect();
    let wanted = match (lacking.is_empty(), speech.translate && has == ["en"]) {
        (false, _) => format!("'languages' asks for {}", lacking.join(", ")),
        (true, true) => "it cannot translate".to_owned(),
        (true, false) => return Ok(()),
    };
    let (name, has) = (&speech.model, has.join(", "));
    let others = models::of_many_languages(known).join(", ");
    Err(Error::invalid(format!("the model '{name}' knows {has} alone, and {wanted}"))
        .hint(format!("a model that knows more: {others}; or keep it, with 'languages: [{has}]' and no 'translate'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(speech: LearnSpeech) -> Option<String> {
        let wanted = Learning { speech: Some(speech), ..Learning::default() };
        check_languages(&wanted, &models::known().unwrap()).err().map(|e| e.one_line())
    }

    #[test]
    fn a_model_of_english_alone_is_no_model_of_spanish_whichever_list_names_it() {
        let speech = |model: &str, languages: &[&str]| LearnSpeech {
            model: model.to_owned(),
            languages: languages.iter().map(|l| (*l).to_owned()).collect(),
            ..LearnSpeech::default()
        };
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
}
