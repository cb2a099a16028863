//! Names found by real recognizers, which are looked for in `target/test-models` or in what `DAMCTL_TEST_MODELS` names.

use std::{collections::BTreeMap, fs};

use damctl::{
    error::Kind,
    model::FindingKind::{self, Organization, Person, Place},
    names::{Language, Passage, Recognizer, Recognizers, merge},
    stop::Stop,
};

use crate::harness::models;

fn recognizer(name: &str) -> Option<Recognizer> {
    Some(Recognizer::load(&models(name)?).unwrap())
}

fn found(recognizer: &Recognizer, text: &str) -> Vec<(FindingKind, String)> {
    let names = recognizer.names(text, &Stop::new()).unwrap();
    assert!(names.iter().all(|n| text[n.from..n.to] == n.text && n.trust > 0.0 && n.trust <= 1.0), "{names:?}");
    names.into_iter().map(|n| (n.kind, n.text)).collect()
}

#[test]
fn a_person_a_place_and_an_organization_are_found_in_spanish_and_in_english() {
    let (Some(spanish), Some(english)) = (recognizer("es-core-news-sm"), recognizer("en-core-web-sm")) else { return };
    let is = |kind, name: &str| (kind, name.to_owned());
    assert_eq!(
        found(&spanish, "El presidente Pedro Sánchez viajó a Bruselas para reunirse con la OTAN."),
        [is(Person, "Pedro Sánchez"), is(Place, "Bruselas"), is(Organization, "OTAN")]
    );
    assert_eq!(
        found(&english, "Angela Merkel met the directors of Siemens in Berlin on Monday."),
        [is(Person, "Angela Merkel"), is(Organization, "Siemens"), is(Place, "Berlin")]
    );
    // A caption in capitals, and lines that say nothing.
    assert_eq!(
        found(&spanish, "JUAN PÉREZ GARCÍA\nALCALDE DE SEVILLA"),
        [is(Person, "JUAN PÉREZ GARCÍA"), is(Place, "SEVILLA")]
    );
    for nothing in ["", "   \n\n ", "¿?", "…………"] {
        assert!(found(&spanish, nothing).is_empty());
    }
}

#[test]
fn three_spellings_of_three_texts_are_one_person() {
    let all: Vec<Recognizer> = ["es-core-news-sm", "en-core-web-sm"].into_iter().filter_map(recognizer).collect();
    if all.is_empty() {
        return;
    }
    let recognizers = Recognizers::new(all);
    let passage = |text: &str, language: Option<&str>, from_ms, trust| Passage {
        text: text.into(),
        language: language.map(str::to_owned),
        from_ms,
        to_ms: from_ms + 4000,
        trust,
    };
    let passages = [
        passage("El escritor Javier\nMuñoz vive en Granada.", Some("es-ES"), 0, Some(0.9)),
        passage("JAVIER MUNOZ\nESCRITOR", None, 2000, Some(0.8)),
        passage("Para Muñoz no hay otra ciudad.", Some("es"), 60_000, Some(0.9)),
        passage("Javier Munoz told reporters that he was leaving it.", None, 90_000, None),
        passage("Javier Muñoz wohnt in Berlin.", Some("de"), 120_000, None),
    ];
    let found = merge(&recognizers.mentions(&passages, &Stop::new()).unwrap());
    let people: BTreeMap<&str, Vec<(u64, u64)>> =
        found[&Person].iter().fold(BTreeMap::new(), |mut all: BTreeMap<_, Vec<_>>, f| {
            all.entry(f.text.as_str()).or_default().push((f.from_ms, f.to_ms));
            all
        });
    assert_eq!(people, BTreeMap::from([("Javier Muñoz", vec![(0, 6000), (60_000, 64_000), (90_000, 94_000)])]));
    assert_eq!(found[&Place].iter().map(|f| f.text.as_str()).collect::<Vec<_>>(), ["Granada"]);

    let stop = Stop::new();
    stop.trip();
    assert_eq!(recognizers.mentions(&passages, &stop).unwrap_err().kind(), Kind::Stopped);
}

#[test]
fn a_damaged_recognizer_is_named_and_refused() {
    let Some(real) = models("es-core-news-sm") else { return };
    let files = ["meta.json", "tokenizer", "vocab/lookups.bin", "ner/model", "ner/moves"];
    let dir = tempfile::tempdir().unwrap();
    let fresh = |file: &str| {
        let to = dir.path().join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(real.join(file), to).unwrap();
    };
    files.into_iter().for_each(fresh);
    assert_eq!(Recognizer::load(dir.path()).unwrap().language(), Language::Spanish);

    for file in files {
        let at = dir.path().join(file);
        let whole = fs::read(&at).unwrap();
        for bytes in [&whole[..whole.len() / 2], b"", b"\xDD\xFF\xFF\xFF\xFF\xC0", b"{\"lang\": 7}"] {
            fs::write(&at, bytes).unwrap();
            let error = Recognizer::load(dir.path()).unwrap_err();
            assert!(error.kind() == Kind::Corrupt && error.to_string().contains(file), "{file}: {error:?}");
        }
        // A flipped bit may go unseen. It never costs more than the names.
        for n in 1..=6 {
            let mut bytes = whole.clone();
            let at_byte = whole.len() * n / 7;
            bytes[at_byte] ^= 1 << n;
            fs::write(&at, bytes).unwrap();
            if let Ok(recognizer) = Recognizer::load(dir.path()) {
                recognizer.names("Habla Juan Pérez, de Sevilla.", &Stop::new()).unwrap();
            }
        }
        fs::remove_file(&at).unwrap();
        assert_eq!(Recognizer::load(dir.path()).unwrap_err().kind(), Kind::NotFound);
        fresh(file);
    }
    // Another language's, and a whole file that is another one.
    fs::write(dir.path().join("meta.json"), r#"{"lang": "ca"}"#).unwrap();
    assert_eq!(Recognizer::load(dir.path()).unwrap_err().kind(), Kind::Unsupported);
    fresh("meta.json");
    fs::copy(real.join("tokenizer"), dir.path().join("ner/model")).unwrap();
    assert!(Recognizer::load(dir.path()).unwrap_err().to_string().contains("ner/model"));
}
