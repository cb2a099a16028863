//! Several languages in one stretch of speech: what is written down, in which language, and what of it is doubted.

use std::{path::Path, process::Command};

use serde_json::Value;

use crate::{
    enrich::{archive, found, make, plain, speech, text},
    harness::{Archive, models, scratch},
};

/// A part of a recording, in seconds.
type Part<'a> = (&'a Path, f64, f64);

/// One recording of parts, with so many seconds of silence after each.
fn joined(path: &Path, parts: &[Part<'_>], pause: f64) {
    let mut words: Vec<String> = Vec::new();
    let (mut filter, mut all) = (String::new(), String::new());
    for (i, (file, from, to)) in parts.iter().enumerate() {
        if file.extension().is_some_and(|e| e == "g722") {
            words.extend(["-f", "g722"].map(str::to_owned));
        }
        words.extend(["-i".to_owned(), file.display().to_string()]);
        filter +=
            &format!("[{i}]aresample=16000,atrim=start={from}:end={to},asetpts=N/SR/TB,apad=pad_dur={pause}[p{i}];");
        all += &format!("[p{i}]");
    }
    filter += &format!("{all}concat=n={}:v=0:a=1", parts.len());
    words.extend(["-filter_complex".to_owned(), filter, "-ac".to_owned(), "1".to_owned()]);
    make(path, &words.iter().map(String::as_str).collect::<Vec<_>>());
}

/// An archive of these recordings that has listened to them.
fn heard(languages: &str, recordings: &[(&str, &[Part<'_>], f64)]) -> Archive {
    let archive = archive(&format!("  speech: {{ model: whisper-base, languages: [{languages}] }}\n"));
    let drive = scratch();
    for (name, parts, pause) in recordings {
        joined(&drive.path().join(name), parts, *pause);
    }
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["enrich"]).ends(0);
    archive
}

/// The words of what begins between two moments, in seconds.
fn within(said: &[Value], from: f64, to: f64) -> (Vec<&Value>, String) {
    let is_in = |f: &&Value| (from..to).contains(&(f["from_ms"].as_f64().unwrap() / 1000.0));
    let its: Vec<&Value> = said.iter().filter(is_in).collect();
    let words = plain(&its.iter().map(|f| text(f)).collect::<Vec<_>>().join(" ")).join(" ");
    (its, words)
}

fn is_doubted(f: &Value) -> bool {
    f["doubts"].as_array().is_some_and(|all| all.iter().any(|d| d == "language"))
}

/// Words come one after the other, each within its line.
fn are_in_order(said: &[Value]) -> bool {
    let at = |f: &Value, key: &str| f[key].as_u64().unwrap();
    let words: Vec<&Value> = said.iter().flat_map(|f| f["words"].as_array().unwrap()).collect();
    let is_within = |f: &Value| {
        let its = f["words"].as_array().unwrap();
        its.iter().all(|w| at(f, "from_ms") <= at(w, "from_ms") && at(w, "to_ms") <= at(f, "to_ms"))
    };
    said.iter().all(is_within) && words.windows(2).all(|w| at(w[0], "from_ms") <= at(w[1], "from_ms"))
}

#[test]
fn each_language_of_a_stretch_is_written_down_in_itself_where_it_may_be_spoken() {
    let (Some(_), Some(_)) = (models("whisper-base"), models("silero-vad")) else { return };
    let voices = (speech("en_US_f_Allison", "demo-congrats"), speech("es_MX_f_Allison", "demo-congrats"));
    let (Some(en), Some(es)) = voices else { return };
    // "Congratulations! You have successfully installed and executed the Asterisk open source PBX." "Felicidades, usted ha
    // instalado y ejecutado exitosamente su PBX de código abierto Asterisk."
    let (english, spanish): (Part<'_>, Part<'_>) = ((&en, 0.0, 6.9), (&es, 0.0, 5.5));
    let recordings: [(&str, &[Part<'_>], f64); 4] = [
        ("en-es.wav", &[english, spanish], 0.5),
        ("es-en.wav", &[spanish, english], 0.8),
        ("es-en-es.wav", &[spanish, english, spanish], 0.3),
        ("long-es.wav", &[(&en, 0.0, 15.0), spanish], 0.4),
    ];
    for languages in ["es, en", ""] {
        let archive = heard(languages, &recordings);
        for (name, parts, pause) in recordings {
            let said = found(&archive, name, "speech");
            assert!(said.iter().all(|f| !is_doubted(f)) && are_in_order(&said), "{name}: {said:?}");
            let mut at = 0.0;
            for (voice, from, to) in parts {
                let end = at + to - from + pause;
                let (its, words) = within(&said, at - 0.3, end - 0.3);
                let (language, word) = if *voice == en { ("en", "successfully") } else { ("es", "felicidades") };
                assert!(its.iter().all(|f| f["language"] == language), "{name} [{languages}]: {its:?}");
                assert!(words.contains(word), "{name} [{languages}]: {words}");
                at = end;
            }
        }
    }
}

#[test]
fn of_a_stretch_just_what_is_in_no_expected_language_is_doubted() {
    let (Some(_), Some(_)) = (models("whisper-base"), models("silero-vad")) else { return };
    let voices = (speech("en_US_f_Allison", "demo-congrats"), speech("es_MX_f_Allison", "demo-congrats"));
    let (Some(en), Some(es)) = voices else { return };
    let (english, spanish): (Part<'_>, Part<'_>) = ((&en, 0.0, 6.9), (&es, 0.0, 5.5));
    let dir = scratch();
    let german = dir.path().join("de.wav");
    let words = "Guten Abend, meine Damen und Herren. Die Bundesregierung hat heute in Berlin ein neues Gesetz beschlossen. \
                 Die Opposition sagt, dass die Finanzierung noch nicht geklärt ist.";
    let spoken = Command::new("espeak-ng").args(["-v", "de", "-s", "150", "-w"]).arg(&german).arg(words).status();
    let mut recordings: Vec<(&str, &[Part<'_>], f64)> = Vec::new();
    let three = [spanish, english, spanish];
    let first = [english, spanish];
    let second = [(es.as_path(), 0.0, 16.0), (german.as_path(), 0.0, 10.0)];
    recordings.extend([("three.wav", &three[..], 0.5), ("first.wav", &first[..], 0.8)]);
    match spoken.is_ok_and(|s| s.success()) {
        true => recordings.push(("german.wav", &second, 0.6)),
        false => eprintln!("skipped: espeak-ng is not here"),
    }
    let archive = heard("es", &recordings);
    for (name, parts, pause) in recordings {
        let said = found(&archive, name, "speech");
        assert!(are_in_order(&said), "{said:?}");
        let mut at = 0.0;
        for (voice, from, to) in parts {
            let end = at + to - from + pause;
            let (its, words) = within(&said, at - 0.3, end - 0.3);
            let is_foreign = *voice != es;
            assert!(!its.is_empty() && its.iter().all(|f| is_doubted(f) == is_foreign), "{name}: {its:?}");
            assert!(is_foreign || words.contains("felicidades"), "{name}: {words}");
            assert!(!is_foreign || its.iter().all(|f| f["trust"].as_f64() <= Some(0.3)), "{name}: {its:?}");
            at = end;
        }
    }
}

#[test]
fn speech_in_one_language_is_not_doubted_nor_are_names_of_another_in_it() {
    let (Some(_), Some(_)) = (models("whisper-base"), models("silero-vad")) else { return };
    let named = ["demo-congrats", "demo-instruct"];
    let voices = named.map(|name| (speech("en_US_f_Allison", name), speech("es_MX_f_Allison", name)));
    let [(Some(en), Some(es)), (Some(english), Some(spanish))] = voices else { return };
    let recordings: [(&str, &[Part<'_>], f64); 2] = [
        ("en.wav", &[(&en, 0.0, 30.0), (&english, 0.0, 20.0)], 0.5),
        ("es.wav", &[(&es, 0.0, 30.0), (&spanish, 0.0, 20.0)], 0.5),
    ];
    // The Spanish ones name the Asterisk PBX, Digium and commands in English.
    for languages in ["es, en", ""] {
        let archive = heard(languages, &recordings);
        for (name, language) in [("en.wav", "en"), ("es.wav", "es")] {
            let said = found(&archive, name, "speech");
            assert!(!said.is_empty() && said.iter().all(|f| !is_doubted(f) && f["language"] == language), "{said:?}");
        }
    }
    let archive = heard("es", &recordings[1..]);
    assert!(found(&archive, "es.wav", "speech").iter().all(|f| !is_doubted(f)));
}
