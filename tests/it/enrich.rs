//! Learning from real sound and pictures with real models, and what becomes of it when something is missing, damaged or killed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    harness::{Archive, models, scratch, tool},
    learn::shelved,
};

const ENGLISH: &str = "congratulations you have successfully installed and executed the asterisk open source pbx you have also \
    installed a set of sample sounds and configuration files that should help you get started like a normal pbx you will \
    navigate this demonstration by dialing digits if you are using a console channel driver instead of a real phone you can \
    use the dial answer and hangup commands to simulate the actions of a standard telephone";

/// Debian's recordings of people who speak: asterisk-core-sounds-en-g722 and -es-g722.
pub fn speech(voice: &str, name: &str) -> Option<PathBuf> {
    let path = Path::new("/usr/share/asterisk/sounds").join(voice).join(format!("{name}.g722"));
    if path.is_file() {
        return Some(path);
    }
    eprintln!("skipped: {} is not here", path.display());
    None
}

/// An archive that learns with the models of the tests, as this section of a profile says.
pub fn archive(learning: &str) -> Archive {
    let archive = Archive::new();
    let all = models("silero-vad").map(|dir| dir.parent().unwrap().to_owned()).unwrap_or_default();
    fs::write(archive.root().join("learn.yaml"), format!("enrich:\n{learning}")).unwrap();
    let settings = archive.root().join("damctl.yaml");
    let text = fs::read_to_string(&settings).unwrap_or_default();
    fs::write(&settings, format!("{text}\nprofile: learn.yaml\nmodels: {}\nlease: 3\n", all.display())).unwrap();
    archive
}

/// Makes a file by ffmpeg.
pub fn make(path: &Path, words: &[&str]) {
    tool("ffmpeg", [&["-v", "error", "-y"], words, &[path.to_str().unwrap()]].concat());
}

/// The findings of a kind, of the asset of this title.
pub fn found(archive: &Archive, title: &str, kind: &str) -> Vec<Value> {
    let sql = format!(
        "SELECT f.items FROM findings f JOIN members m ON m.digest = f.master JOIN assets a ON a.id = m.asset
         WHERE a.title = '{title}' AND f.kind = '{kind}' AND f.active = 1"
    );
    let rows = archive.rows(&sql);
    assert_eq!(rows.len(), 1, "{title} {kind}: {rows:?}");
    serde_json::from_str(&rows[0]).unwrap()
}

pub fn text(f: &Value) -> &str {
    f["text"].as_str().unwrap()
}

pub fn plain(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

/// Words that are wrong, missing or too many, as a share of those that were said.
fn word_error_rate(said: &[String], heard: &[String]) -> f64 {
    let mut before: Vec<usize> = (0..=heard.len()).collect();
    for (i, word) in said.iter().enumerate() {
        let mut now = vec![i + 1];
        for (j, other) in heard.iter().enumerate() {
            let changed = before[j] + usize::from(word != other);
            now.push(changed.min(before[j + 1] + 1).min(now[j] + 1));
        }
        before = now;
    }
    before[heard.len()] as f64 / said.len() as f64
}

#[test]
fn what_is_said_is_written_down_with_its_times_and_found_and_nothing_is_heard_where_nobody_speaks() {
    let (Some(_), Some(_)) = (models("whisper-tiny.en"), models("silero-vad")) else { return };
    let Some(voice) = speech("en_US_f_Allison", "demo-congrats") else { return };
    let archive = archive("  speech: { model: whisper-tiny.en, languages: [en] }\n");
    let drive = scratch();
    let voice = voice.to_str().unwrap();
    // Twenty seconds of quiet come first.
    let quiet = "adelay=20000:all=1,apad=pad_dur=3";
    let pictures = "testsrc2=s=160x90:r=25:d=60";
    make(
        &drive.path().join("talk.mp4"),
        &["-f", "lavfi", "-i", pictures, "-f", "g722", "-i", voice, "-af", quiet, "-c:v", "libx264", "-c:a", "aac"],
    );
    let loud = "anoisesrc=d=8:a=0.3:c=pink:seed=1";
    make(&drive.path().join("noise.wav"), &["-f", "lavfi", "-i", loud]);
    make(&drive.path().join("silence.wav"), &["-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo:d=60"]);
    make(&drive.path().join("tones.wav"), &["-f", "lavfi", "-i", "sine=f=440:b=4:d=8"]);
    // As a telephone has it.
    make(&drive.path().join("phone.wav"), &["-f", "g722", "-i", voice, "-ar", "8000", "-ac", "1", "-t", "14"]);
    make(&drive.path().join("mute.mp4"), &["-f", "lavfi", "-i", "testsrc2=s=160x90:d=2", "-c:v", "libx264"]);
    archive.ingest(drive.path()).0.ends(0);

    archive.run(["enrich", "--dry-run"]).ends(0).says("would do 5 job(s)");
    archive.run(["enrich"]).ends(0).says("5 job(s) done");
    let said = found(&archive, "talk.mp4", "speech");
    let all = said.iter().map(text).collect::<Vec<_>>().join(" ").replace("hang up", "hangup");
    let wrong = word_error_rate(&plain(ENGLISH), &plain(&all));
    assert!(wrong <= 0.08, "{:.3} of the words are wrong: {all}", wrong);
    assert!(said.iter().all(|f| f["from_ms"].as_u64() >= Some(19_500)), "{said:?}");
    assert!(said.iter().all(|f| f.get("doubts").is_none() && f["trust"].as_f64() > Some(0.6)), "{said:?}");
    for f in &said {
        let sign = |name: &str| f["signs"][name].as_f64().unwrap_or(f64::NAN);
        // The trust is the mean probability of what the tokens say of themselves.
        assert!((sign("avg_logprob").exp() - f["trust"].as_f64().unwrap()).abs() < 1e-3, "{f}");
        assert!((0.0..0.6).contains(&sign("no_speech_prob")) && sign("voiced") > 0.5, "{f}");
        assert!((0.9..2.4).contains(&sign("compression_ratio")), "{f}");
    }
    let words: Vec<&Value> = said.iter().flat_map(|f| f["words"].as_array().unwrap()).collect();
    assert!(words.len() > 60 && words.windows(2).all(|w| w[0]["from_ms"].as_u64() <= w[1]["from_ms"].as_u64()));
    for title in ["noise.wav", "silence.wav", "tones.wav"] {
        let invented: Vec<Value> = found(&archive, title, "speech");
        assert!(invented.iter().all(|f| f["trust"].as_f64() <= Some(0.3)), "{title}: {invented:?}");
    }
    let phone = found(&archive, "phone.wav", "speech").iter().map(|f| text(f).to_owned()).collect::<Vec<_>>().join(" ");
    assert!(phone.to_lowercase().contains("successfully installed"), "{phone}");

    // Back to a setting of before is no work, and counts again.
    let profile = archive.root().join("learn.yaml");
    let before = fs::read_to_string(&profile).unwrap();
    fs::write(&profile, before.replace("[en]", "[en], words: false")).unwrap();
    archive.run(["enrich"]).ends(0).says("5 job(s) done");
    assert!(found(&archive, "talk.mp4", "speech")[0].get("words").is_none());
    fs::write(&profile, &before).unwrap();
    archive.run(["enrich"]).ends(0).says("5 job(s) done");
    assert!(found(&archive, "talk.mp4", "speech")[0].get("words").is_some());

    // Subtitles lie beside the other renditions.
    let row = archive.rows(
        "SELECT prefix || '/' || json_extract(files, '$[0].name') FROM renditions WHERE entry = 'subtitles' AND active = 1 ORDER BY 1",
    );
    assert_eq!(row.len(), 2, "{row:?}");
    let subtitles = row
        .iter()
        .map(|r| fs::read_to_string(archive.store().join(r)).unwrap())
        .find(|t| t.contains("standard telephone"));
    assert!(subtitles.is_some_and(|t| t.starts_with("WEBVTT") && t.contains("NOTE en, written by whisper-tiny.en")));

    archive.run(["index"]).ends(0);
    let hit = archive.json(["search", "--json", "said:telephone"]);
    let moment = &hit["hits"][0]["moments"][0];
    assert!(moment["from_ms"].as_u64() > Some(40_000), "{hit}");
    archive.run(["enrich"]).ends(0).says("nothing to learn");
}

#[test]
fn a_language_is_told_for_each_stretch_and_no_model_overwrites_a_person() {
    let (Some(_), Some(_)) = (models("whisper-base"), models("silero-vad")) else { return };
    let spoken = (speech("en_US_f_Allison", "demo-nogo"), speech("es_MX_f_Allison", "demo-congrats"));
    let (Some(english), Some(spanish)) = spoken else { return };
    let archive = archive("  speech: { model: whisper-base, languages: [es, en], translate: true }\n");
    let drive = scratch();
    let both = "[0]apad=pad_dur=4[a];[1]atrim=end=16[b];[a][b]concat=n=2:v=0:a=1";
    let (en, es) = (english.to_str().unwrap(), spanish.to_str().unwrap());
    make(&drive.path().join("both.wav"), &["-f", "g722", "-i", en, "-f", "g722", "-i", es, "-filter_complex", both]);
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["enrich"]).ends(0);
    let said = found(&archive, "both.wav", "speech");
    assert!(said.iter().all(|f| !f["doubts"].to_string().contains("language")), "{said:?}");
    let languages: Vec<&str> = said.iter().map(|f| f["language"].as_str().unwrap()).collect();
    assert_eq!((languages.first(), languages.last()), (Some(&"en"), Some(&"es")), "{said:?}");
    let spanish: String = said.iter().filter(|f| f["language"] == "es").map(text).collect();
    assert!(spanish.to_lowercase().contains("felicidades") && spanish.contains("instalado"), "{spanish}");

    // In English beside that: what is said in it, and what is translated.
    let english = found(&archive, "both.wav", "translation");
    assert!(english.iter().all(|f| f["language"] == "en"), "{english:?}");
    let words = |items: &[&Value]| plain(&items.iter().map(|f| text(f)).collect::<Vec<_>>().join(" ")).join(" ");
    let border = said.iter().find(|f| f["language"] == "es").unwrap()["from_ms"].as_u64();
    let (first, second): (Vec<&Value>, Vec<&Value>) = english.iter().partition(|f| f["from_ms"].as_u64() < border);
    assert_eq!(words(&first), words(&said.iter().filter(|f| f["language"] == "en").collect::<Vec<_>>()));
    assert!(words(&second).contains("congratulations") && words(&second).contains("installed"), "{second:?}");
    let sql =
        "SELECT entry, prefix || '/' || json_extract(files, '$[0].name') FROM renditions WHERE active = 1 ORDER BY 1";
    let rows = archive.rows(sql);
    let [original, translated] = rows.as_slice() else { panic!("{rows:?}") };
    let read = |row: &str| fs::read_to_string(archive.store().join(row.split_once('|').unwrap().1)).unwrap();
    assert!(original.starts_with("subtitles|") && read(original).to_lowercase().contains("felicidades"), "{original}");
    assert!(
        translated.starts_with("subtitles_en|") && read(translated).contains("NOTE en, translated by whisper-base")
    );

    let asset = archive.rows("SELECT id FROM assets").remove(0);
    let vtt = archive.run(["transcript", "export", &asset, "--translation"]).ends(0).stdout;
    assert!(vtt.to_lowercase().contains("congratulations"), "{vtt}");
    archive.run(["index"]).ends(0);
    assert_eq!(archive.json(["search", "--json", "translated:congratulations"])["hits"].as_array().unwrap().len(), 1);
    let mine = archive.root().join("mine.srt");
    let words = "1\n00:00:01,000 --> 00:00:03,000\nLo que dije de verdad.\n";
    // What cannot be of this recording is refused, and changes nothing.
    let late = words.replace("00:00:03", "01:00:03");
    for (written, more, why) in [
        (words, ["--track", "2"], "no sound track 2"),
        (words, ["--track", "0"], "no sound track 0"),
        (words, ["--language", "Spanish!"], "'Spanish!' is no language"),
        (late.as_str(), ["--track", "1"], "it has words until 3603.0 s"),
    ] {
        fs::write(&mine, written).unwrap();
        let import = ["transcript", "import", mine.to_str().unwrap(), "--asset", &asset];
        archive.run([&import[..], &more].concat()).ends(2).says(why);
    }
    archive.run(["transcript", "remove", &asset]).ends(2).says("nobody has brought a transcript");
    assert_eq!(found(&archive, "both.wav", "speech"), said);
    fs::write(&mine, words).unwrap();
    archive.run(["transcript", "import", mine.to_str().unwrap(), "--asset", &asset]).ends(0);
    let profile = archive.root().join("learn.yaml");
    fs::write(&profile, "enrich:\n  speech: { model: whisper-base, languages: [es] }\n").unwrap();
    archive.run(["enrich"]).ends(0).says("nothing to learn");
    let said = found(&archive, "both.wav", "speech");
    assert_eq!(said.iter().map(text).collect::<Vec<_>>(), ["Lo que dije de verdad."]);
    // Taken away, what was heard counts again.
    archive.run(["transcript", "remove", &asset]).ends(0).says("heard counts again");
    let said = found(&archive, "both.wav", "speech");
    assert!(said.len() > 1 && text(&said[0]) != "Lo que dije de verdad.", "{said:?}");
    assert_eq!(archive.rows("SELECT COUNT(*) FROM events WHERE kind = 'findings.removed'"), ["1"]);
    archive.run(["transcript", "remove", &asset]).ends(2).says("nobody has brought a transcript");
}

#[test]
fn only_what_is_doubted_is_heard_again_by_another_model_and_never_what_a_person_brought() {
    let (Some(_), Some(_)) = (models("whisper-tiny.en"), models("whisper-base")) else { return };
    let Some(voice) = speech("en_US_f_Allison", "demo-congrats") else { return };
    let archive = archive("  speech: { model: whisper-tiny.en, languages: [en] }\n");
    let drive = scratch();
    make(&drive.path().join("talk.wav"), &["-f", "g722", "-i", voice.to_str().unwrap()]);
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["enrich"]).ends(0);
    let again = ["enrich", "--again", "doubtful", "--with", "whisper-base"];
    archive.run(again).ends(0).says("nothing to hear again");
    archive.run(["enrich", "--again", "doubtful", "--with", "whisper-none"]).ends(2).says("whisper-none");

    // As if it had been hard to hear: the second line is rubbish, and one that nothing better is heard of comes at the end.
    let before = found(&archive, "talk.wav", "speech");
    assert!(before.len() >= 3, "{before:?}");
    let (from, to) = (before[1]["from_ms"].as_u64().unwrap(), before[1]["to_ms"].as_u64().unwrap());
    let mut doubted = before.clone();
    doubted[1]["text"] = "Rubbish rubbish.".into();
    doubted[1]["trust"] = 0.1.into();
    doubted[1]["doubts"] = serde_json::json!(["guessed"]);
    let end = before.last().unwrap()["to_ms"].as_u64().unwrap();
    doubted.push(serde_json::json!({"from_ms": end, "to_ms": end + 100, "text": "Thanks for watching.", "trust": 0.29,
        "language": "en", "doubts": ["invented"]}));
    let set = |items: &[Value]| {
        let items = serde_json::to_string(items).unwrap();
        archive
            .catalog()
            .execute("UPDATE findings SET items = ?1 WHERE kind = 'speech' AND active = 1", [items])
            .unwrap();
    };
    set(&doubted);
    let same = ["enrich", "--again", "doubtful", "--with", "whisper-tiny.en"];
    archive.run(same).ends(0).says("nothing to hear again");
    archive.run([&again[..], &["--dry-run"]].concat()).ends(0).says("learn doubtful speech of talk.wav");
    archive.run(again).ends(0).says("1 job(s) done");
    let after = found(&archive, "talk.wav", "speech");
    let untouched = |items: &[Value]| {
        let is_outside = |f: &&Value| f["to_ms"].as_u64() <= Some(from) || f["from_ms"].as_u64() >= Some(to);
        items.iter().filter(is_outside).cloned().collect::<Vec<_>>()
    };
    assert_eq!(untouched(&after), untouched(&doubted));
    let new: Vec<&Value> = after.iter().filter(|f| f["model"] == "whisper-base").collect();
    let heard = plain(&new.iter().map(|f| text(f)).collect::<Vec<_>>().join(" "));
    let wrong = word_error_rate(&plain(text(&before[1])), &heard);
    assert!(!new.is_empty() && wrong <= 0.35, "{wrong}: {heard:?} instead of {:?}", text(&before[1]));
    assert!(new.iter().all(|f| f["trust"].as_f64() > Some(0.3)), "{new:?}");
    let source = archive.rows("SELECT source FROM findings WHERE kind = 'speech' AND active = 1").remove(0);
    assert!(source.contains("then whisper-base") && source.contains("\"again\""), "{source}");
    let told = archive.run(["events"]).ends(0).stdout;
    assert!(told.lines().filter(|l| l.contains("findings.ready")).count() == 2, "{told}");

    // Neither is tried once more, and what the profile wants is there.
    archive.run(again).ends(0).says("nothing to hear again");
    archive.run(["enrich"]).ends(0).says("nothing to learn");

    let asset = archive.rows("SELECT id FROM assets").remove(0);
    let mine = archive.root().join("mine.srt");
    fs::write(&mine, "1\n00:00:01,000 --> 00:00:03,000\nWhat I really said.\n").unwrap();
    archive.run(["transcript", "import", mine.to_str().unwrap(), "--asset", &asset]).ends(0);
    set(&[serde_json::json!({"from_ms": 1000, "to_ms": 3000, "text": "What I really said.", "doubts": ["guessed"]})]);
    archive.run(again).ends(0).says("nothing to hear again");
}

#[test]
fn a_model_that_is_missing_is_told_with_the_command_that_gets_it_and_the_rest_goes_on() {
    let archive = archive("  speech: { model: whisper-medium }\n  looks: {}\n");
    let drive = scratch();
    make(
        &drive.path().join("talk.mp4"),
        &["-f", "lavfi", "-i", "testsrc2=s=160x90:d=3", "-f", "lavfi", "-i", "sine=d=3"],
    );
    archive.ingest(drive.path()).0.ends(0);
    let ran = archive.run(["enrich"]).ends(1).says("the model 'whisper-medium' is not here");
    let ran = ran.says("damctl models pull whisper-medium");
    ran.says("1 job(s) done");
    assert_eq!(archive.rows("SELECT count(*) FROM looks"), ["1"]);

    // Where nothing else is left, it is not said that there is nothing to learn.
    for more in [&["enrich"][..], &["enrich", "--only", "speech"]] {
        let told = "nothing was learned: speech cannot be learned here ('damctl models pull whisper-medium' gets it)";
        let ran = archive.run(more).ends(1).says(told);
        assert!(!ran.stdout.contains("nothing to learn"), "{}", ran.stdout);
    }
    archive.run(["enrich", "--only", "looks"]).ends(0).says("nothing to learn: all 1 sets of findings are present");
}

#[test]
fn a_damaged_model_and_a_damaged_recording_fail_alone_and_say_why() {
    let (Some(model), Some(voice)) = (models("whisper-tiny.en"), models("silero-vad")) else { return };
    let Some(speech) = speech("en_US_f_Allison", "demo-nogo") else { return };
    let archive = archive("  speech: { model: cut, languages: [en] }\n");
    let own = archive.root().join("own");
    for (name, from) in [("cut", &model), ("silero-vad", &voice)] {
        fs::create_dir_all(own.join(name)).unwrap();
        for file in ["model.bin", "model.json"] {
            fs::copy(from.join(file), own.join(name).join(file)).unwrap();
        }
    }
    let file = fs::OpenOptions::new().write(true).open(own.join("cut/model.bin")).unwrap();
    file.set_len(40_000_000).unwrap();
    let drive = scratch();
    make(&drive.path().join("talk.wav"), &["-f", "g722", "-i", speech.to_str().unwrap()]);
    archive.ingest(drive.path()).0.ends(0);
    let models = own.to_str().unwrap().to_owned();
    let learn = || archive.command(["enrich"]).env("DAMCTL_MODELS", &models).output().unwrap();
    let ran = learn();
    let told = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert_eq!(ran.status.code(), Some(1), "{told}");
    assert!(told.contains("cut/model.bin is not what it was") && told.contains("damctl models pull cut"), "{told}");
    assert_eq!(archive.rows("SELECT count(*) FROM findings"), ["0"]);
    let told = archive.command(["models", "verify"]).env("DAMCTL_MODELS", &models).output().unwrap();
    assert_eq!(told.status.code(), Some(1));

    // With the model whole again, what failed is done, and a recording that is damaged fails alone.
    fs::copy(model.join("model.bin"), own.join("cut/model.bin")).unwrap();
    let bad = drive.path().join("bad.mp3");
    make(&bad, &["-f", "g722", "-i", speech.to_str().unwrap()]);
    let bytes = fs::read(&bad).unwrap();
    let broken: Vec<u8> = bytes[..2000].iter().copied().chain((0..60_000_u32).map(|i| (i * 31 % 7) as u8)).collect();
    fs::write(&bad, broken).unwrap();
    archive.ingest(drive.path());
    learn();
    assert!(!found(&archive, "talk.wav", "speech").is_empty());
}

#[test]
fn models_that_cannot_do_what_is_asked_are_refused_with_the_reason() {
    let (Some(english), Some(ocr)) = (models("whisper-tiny.en"), models("pp-ocr-v6-small")) else { return };
    let Some(voice) = speech("en_US_f_Allison", "demo-nogo") else { return };
    let archive = archive("  speech: { model: whisper-tiny.en, languages: [es] }\n");
    let drive = scratch();
    make(&drive.path().join("talk.wav"), &["-f", "g722", "-i", voice.to_str().unwrap(), "-t", "4"]);
    image::RgbImage::new(320, 200).save(drive.path().join("page.png")).unwrap();
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["enrich"]).ends(1).says("the model 'whisper-tiny.en' knows en alone, and 'languages' asks for es");
    let profile = archive.root().join("learn.yaml");
    fs::write(&profile, "enrich:\n  speech: { model: whisper-tiny.en, languages: [en], translate: true }\n").unwrap();
    archive.run(["enrich"]).ends(1).says("cannot translate");
    // One whose name tells nothing is told by itself, of each recording.
    let own = archive.root().join("own");
    fs::create_dir(&own).unwrap();
    let from = english.parent().unwrap();
    shelved(&own, "mine", "speech", "model.bin", &fs::read(english.join("model.bin")).unwrap());
    std::os::unix::fs::symlink(from.join("silero-vad"), own.join("silero-vad")).unwrap();
    fs::write(&profile, "enrich:\n  speech: { model: mine, languages: [es] }\n").unwrap();
    let ran = archive.command(["enrich"]).env("DAMCTL_MODELS", &own).output().unwrap();
    let told = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.code() == Some(1) && told.contains("talk.wav") && told.contains("English alone"), "{told}");
    assert_eq!(archive.rows("SELECT count(*) FROM findings"), ["0"]);

    // One that reads text, as one that sees objects.
    for name in ["onnxruntime", "pp-ocr-v6-small"] {
        std::os::unix::fs::symlink(ocr.parent().unwrap().join(name), own.join(name)).unwrap();
    }
    shelved(&own, "other", "objects", "model.onnx", &fs::read(ocr.join("rec.onnx")).unwrap());
    fs::write(&profile, "enrich:\n  objects: { model: other }\n").unwrap();
    let ran = archive.command(["enrich"]).env("DAMCTL_MODELS", &own).output().unwrap();
    let told = String::from_utf8_lossy(&ran.stdout).into_owned();
    let why = "cannot learn objects here: the model 'other' is of no use";
    assert!(ran.status.code() == Some(1) && told.contains(why) && told.contains("no detector of objects"), "{told}");
    assert_eq!(archive.rows("SELECT count(*) FROM findings"), ["0"]);
}

#[test]
fn killed_in_the_middle_it_goes_on_and_knows_each_thing_once() {
    let (Some(_), Some(_)) = (models("whisper-tiny.en"), models("silero-vad")) else { return };
    let Some(voice) = speech("en_US_f_Allison", "demo-congrats") else { return };
    let archive = archive("  speech: { model: whisper-tiny.en, languages: [en], words: false }\n");
    let drive = scratch();
    for n in 0..3 {
        let quiet = format!("adelay={}:all=1", n * 100);
        let path = drive.path().join(format!("talk{n}.wav"));
        make(&path, &["-f", "g722", "-i", voice.to_str().unwrap(), "-af", &quiet]);
    }
    archive.ingest(drive.path()).0.ends(0);
    let mut run =
        archive.command(["enrich", "--workers", "1"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while archive.rows("SELECT count(*) FROM findings") == ["0"] {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing was learned");
        std::thread::sleep(Duration::from_millis(20));
    }
    run.kill().unwrap();
    run.wait().unwrap();
    let before = archive.rows("SELECT count(*) FROM findings")[0].parse::<u32>().unwrap();
    assert!((1..3).contains(&before), "{before}");
    archive.run(["enrich"]).ends(0);
    assert_eq!(archive.rows("SELECT count(*), sum(active) FROM findings"), ["3|3"]);
    assert_eq!(archive.rows("SELECT count(*) FROM jobs WHERE stage = 'enrich' AND state = 'done'"), ["3"]);
}

#[test]
fn a_films_own_words_are_burned_in_once_there_are_some_and_anew_when_they_change() {
    let archive = Archive::new();
    let entry = "video:\n  burned:\n    mp4: { video: { bitrate: 500k, preset: superfast } }\n    brand: words.yaml\n";
    fs::write(archive.root().join("words.profile.yaml"), entry).unwrap();
    let brand = "subtitles: { transcript: { language: es, by: person }, style: { size: 12% } }\n";
    fs::write(archive.root().join("words.yaml"), brand).unwrap();
    let settings = archive.root().join("damctl.yaml");
    let text = fs::read_to_string(&settings).unwrap_or_default();
    fs::write(&settings, format!("{text}\nprofile: words.profile.yaml\n")).unwrap();
    let drive = scratch();
    make(&drive.path().join("film.mp4"), &["-f", "lavfi", "-i", "color=black:s=320x180:r=25:d=3", "-c:v", "libx264"]);
    archive.ingest(drive.path()).0.ends(0);
    let asset = archive.rows("SELECT id FROM assets").remove(0);
    let import = |words: &str| {
        let path = archive.root().join("mine.srt");
        fs::write(&path, format!("1\n00:00:01,000 --> 00:00:02,000\n{words}\n")).unwrap();
        let path = path.to_str().unwrap();
        archive.run(["transcript", "import", path, "--asset", &asset, "--language", "es-AR"]).ends(0);
    };
    // Pixels that are lit in the lower half at a time: letters.
    let lit = || {
        let sql = "SELECT prefix || '/' || json_extract(files, '$[0].name') FROM renditions WHERE entry = 'burned' AND active = 1";
        let rows = archive.rows(sql);
        assert_eq!(rows.len(), 1, "{rows:?}");
        let film = archive.store().join(&rows[0]);
        ["0.4", "1.5", "2.6"].map(|at| {
            let out = archive.root().join("frame.gray");
            let crop = "crop=iw:ih/2:0:ih/2,format=gray";
            let (film, frame) = (film.to_str().unwrap(), ["-frames:v", "1", "-vf", crop, "-f", "rawvideo"]);
            make(&out, &[&["-ss", at, "-i", film], &frame[..]].concat());
            fs::read(&out).unwrap().iter().filter(|p| **p > 150).count()
        })
    };
    archive.run(["transcode"]).ends(0);
    assert_eq!(archive.rows("SELECT count(*) FROM renditions"), ["0"]);

    import("Sí.");
    archive.run(["transcode"]).ends(0);
    let [before, short, after] = lit();
    assert!(before == 0 && short > 50 && after == 0, "{before} {short} {after}");
    archive.run(["transcode"]).ends(0);
    assert_eq!(archive.rows("SELECT count(*) FROM renditions"), ["1"]);

    import("Una frase mucho más larga.");
    archive.run(["transcode"]).ends(0);
    let [before, long, after] = lit();
    assert!(before == 0 && long > 3 * short && after == 0, "{before} {long} {after}, and {short} of the short one");
    assert_eq!(archive.rows("SELECT count(DISTINCT recipe) FROM renditions"), ["2"]);
}

#[test]
fn a_stream_lists_the_films_own_words_once_there_are_some_and_anew_when_they_change() {
    let archive = Archive::new();
    let profile = "video:
  web:
    stream:
      segment: 2s
      rungs: [{ name: small, max_height: 90, video: { bitrate: 100k, preset: superfast, keyframe_interval: 1s } }]
      subtitles:
        - { name: Español, transcript: { language: es } }
        - { name: English, transcript: { language: en }, optional: true }
";
    fs::write(archive.root().join("words.profile.yaml"), profile).unwrap();
    let settings = archive.root().join("damctl.yaml");
    let text = fs::read_to_string(&settings).unwrap_or_default();
    fs::write(&settings, format!("{text}\nprofile: words.profile.yaml\n")).unwrap();
    let drive = scratch();
    make(&drive.path().join("film.mp4"), &["-f", "lavfi", "-i", "testsrc2=s=160x90:r=25:d=3", "-c:v", "libx264"]);
    archive.ingest(drive.path()).0.ends(0);
    let asset = archive.rows("SELECT id FROM assets").remove(0);
    let import = |words: &str, language: &str| {
        let path = archive.root().join("mine.srt");
        fs::write(&path, format!("1\n00:00:01,000 --> 00:00:02,500\n{words}\n")).unwrap();
        let path = path.to_str().unwrap();
        archive.run(["transcript", "import", path, "--asset", &asset, "--language", language]).ends(0);
        archive.run(["transcode"]).ends(0);
        let rows = archive.rows("SELECT prefix FROM renditions WHERE entry = 'web' AND active = 1");
        assert_eq!(rows.len(), 1, "{rows:?}");
        archive.store().join(&rows[0])
    };
    let read = |dir: &Path, name: &str| fs::read_to_string(dir.join(name)).unwrap();
    archive.run(["transcode"]).ends(0);
    assert_eq!(archive.rows("SELECT count(*) FROM renditions"), ["0"]);

    let first = import("Señal de prueba.", "es-AR");
    let list = read(&first, "web.m3u8");
    let line = list.lines().find(|l| l.contains("TYPE=SUBTITLES")).unwrap_or_else(|| panic!("{list}"));
    assert!(line.contains("NAME=\"Español\"") && line.contains("LANGUAGE=\"es"), "{line}");
    assert_eq!(list.matches("TYPE=SUBTITLES").count(), 1, "nothing is said in English: {list}");
    assert!(read(&first, "web.mpd").contains("web.text.vtt"));
    let words = read(&first, "web.text.vtt");
    assert!(words.contains("00:01.000 --> 00:02.500\nSeñal de prueba."), "{words}");
    archive.run(["transcode"]).ends(0);
    assert_eq!(archive.rows("SELECT count(*) FROM renditions"), ["1"]);

    let second = import("Otra señal.", "es-AR");
    assert!(read(&second, "web.text.vtt").contains("\nOtra señal."));
    assert_ne!(first, second);
}

/// A picture with lines of text, by ImageMagick.
pub fn page(path: &Path, back: &str, ink: &str, lines: &[(u32, u32, &str)]) {
    let mut words: Vec<String> =
        ["-size", "1280x720", back, "-font", "DejaVu-Sans", "-fill", ink].map(str::to_owned).into();
    for (size, y, line) in lines {
        words.extend(["-pointsize".to_owned(), size.to_string(), "-draw".to_owned(), format!("text 80,{y} '{line}'")]);
    }
    words.push(path.display().to_string());
    tool("convert", words);
}

#[test]
fn captions_of_a_film_and_a_page_are_read_and_who_is_named_in_them_is_found() {
    for name in ["onnxruntime", "pp-ocr-v6-small", "centernet-coco", "es-core-news-sm", "en-core-web-sm"] {
        if models(name).is_none() {
            return;
        }
    }
    let archive = archive("  text: {}\n  objects: {}\n  names: {}\n  looks: {}\n");
    let (drive, pictures) = (scratch(), scratch());
    let (first, second) = (pictures.path().join("1.png"), pictures.path().join("2.png"));
    let person = [(54, 600, "JUAN PÉREZ GARCÍA"), (36, 660, "Ministro de Economía, Buenos Aires")];
    page(&first, "gradient:#203a70-#8090b0", "white", &person);
    let news = [(40, 200, "La inflación bajó al 3 % en marzo"), (40, 300, "Naciones Unidas publica su informe")];
    page(&second, "xc:white", "black", &news);
    fs::copy(&second, drive.path().join("page.png")).unwrap();
    let gray = ["-colorspace", "Gray", "-resize", "50%", "-quality", "70"];
    let (from, to) = (second.to_str().unwrap(), drive.path().join("copy.jpg"));
    tool("convert", [&[from], &gray[..], &[to.to_str().unwrap()]].concat());
    let (a, b) = (first.to_str().unwrap(), second.to_str().unwrap());
    let joined = "[0][1]concat=n=2:v=1,format=yuv420p";
    let still = |path| ["-loop", "1", "-t", "6", "-i", path];
    let coding = ["-filter_complex", joined, "-r", "25", "-c:v", "libx264", "-preset", "ultrafast"];
    make(&drive.path().join("film.mp4"), &[&still(a)[..], &still(b), &coding].concat());
    tool(
        "convert",
        ["-delay", "50", "-size", "64x64", "xc:red", "xc:blue", drive.path().join("two.gif").to_str().unwrap()],
    );
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["enrich"]).ends(0);

    let read = found(&archive, "film.mp4", "text");
    let times: Vec<_> =
        read.iter().map(|f| (text(f), f["from_ms"].as_u64().unwrap(), f["to_ms"].as_u64().unwrap())).collect();
    assert_eq!(times.len(), 4, "{times:?}");
    assert!(times.iter().any(|(t, from, to)| *t == "JUAN PÉREZ GARCÍA" && *from == 0 && *to == 6000), "{times:?}");
    assert!(times.iter().any(|(t, from, _)| *t == "La inflación bajó al 3 % en marzo" && *from == 6000), "{times:?}");
    let area: Vec<f64> = read[0]["area"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    assert!((0.03..0.08).contains(&area[0]) && (0.7..0.85).contains(&area[1]), "{area:?}");
    let words: Vec<String> = found(&archive, "page.png", "text").iter().map(|f| text(f).to_owned()).collect();
    assert_eq!(words, news.map(|(_, _, line)| line));

    let named =
        |title: &str, kind: &str| found(&archive, title, kind).iter().map(|f| text(f).to_owned()).collect::<Vec<_>>();
    assert_eq!(named("film.mp4", "person"), ["Juan Pérez García"]);
    assert!(named("film.mp4", "place").contains(&"Buenos Aires".to_owned()));
    assert!(named("page.png", "organization").contains(&"Naciones Unidas".to_owned()));
    assert!(named("page.png", "keyword").contains(&"inflación".to_owned()));
    let shots = archive.rows("SELECT json_extract(l.facts, '$.shots') FROM looks l JOIN members m ON m.digest = l.master WHERE m.name = 'film.mp4'");
    assert_eq!(shots, ["2"]);
    let scenes = archive.rows("SELECT json_extract(l.facts, '$.scenes') FROM looks l JOIN members m ON m.digest = l.master WHERE m.name = 'film.mp4'");
    let scenes: Value = serde_json::from_str(&scenes[0]).unwrap();
    assert_eq!(scenes, serde_json::json!([{"from_ms": 0, "to_ms": 6000}, {"from_ms": 6000, "to_ms": 12000}]));
    let hashes = archive.rows("SELECT json_extract(l.facts, '$.hash') FROM looks l JOIN members m ON m.digest = l.master WHERE m.name IN ('page.png', 'copy.jpg')");
    let bits: Vec<u64> = hashes.iter().map(|h| u64::from_str_radix(h, 16).unwrap()).collect();
    assert!((bits[0] ^ bits[1]).count_ones() <= 6, "{hashes:?}");
    let catalog = damctl::catalog::Catalog::open_sqlite(&archive.root().join("catalog.sqlite")).unwrap();
    let masters = archive.rows("SELECT digest FROM members WHERE name IN ('page.png', 'copy.jpg') ORDER BY name DESC");
    let [page_digest, copy] = [0, 1].map(|i| masters[i].parse::<damctl::digest::Digest>().unwrap());
    assert_eq!(catalog.look_alikes(&page_digest, 10).unwrap().first().map(|(other, _)| *other), Some(copy));

    archive.run(["index"]).ends(0);
    let hit = archive.json(["search", "--json", "shown:inflación kind:video"]);
    assert_eq!(hit["hits"][0]["moments"][0]["from_ms"], 6000, "{hit}");
    archive.run(["search", "person:\"juan perez\""]).ends(0).says("film.mp4");
    archive.run(["enrich"]).ends(0).says("nothing to learn");

    // What people write of it brings new words, and nothing else anew.
    let asset = archive.rows("SELECT id FROM assets WHERE title = 'two.gif'").remove(0);
    let sql = "INSERT INTO descriptions (asset, revision, fields, changed_at) VALUES (?1, 1, ?2, 0)";
    let said = r#"{"text":"Entrevista con Dolores Ibárruri en Madrid."}"#;
    archive.catalog().execute(sql, [asset.as_str(), said]).unwrap();
    archive.run(["enrich", "--dry-run"]).ends(0).says("learn names of two.gif").says("would do 1 job(s)");
    archive.run(["enrich"]).ends(0);
    assert_eq!(named("two.gif", "person"), ["Dolores Ibárruri"]);
}

#[test]
fn channels_are_heard_apart_and_a_model_that_does_not_fit_fails_its_own_job() {
    let (Some(_), Some(_)) = (models("whisper-tiny.en"), models("silero-vad")) else { return };
    let spoken = (speech("en_US_f_Allison", "demo-nogo"), speech("en_US_f_Allison", "demo-echotest"));
    let (Some(left), Some(right)) = spoken else { return };
    let archive =
        archive("  speech: { model: whisper-tiny.en, languages: [en], channels: apart, words: false }\n  looks: {}\n");
    let drive = scratch();
    let both = "[0]aformat=cl=mono,apad=pad_dur=1[a];[1]aformat=cl=mono,adelay=9000[b];[a][b]join=inputs=2:channel_layout=stereo";
    let inputs = ["-f", "g722", "-i", left.to_str().unwrap(), "-f", "g722", "-i", right.to_str().unwrap()];
    make(&drive.path().join("two.wav"), &[&inputs[..], &["-filter_complex", both]].concat());
    make(&drive.path().join("film.mp4"), &["-f", "lavfi", "-i", "testsrc2=s=160x90:d=2", "-c:v", "libx264"]);
    archive.ingest(drive.path()).0.ends(0);

    let ran = archive.command(["enrich"]).env("DAMCTL_MEMORY", "300").env("DAMCTL_STALL", "5").output().unwrap();
    let told = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert_eq!(ran.status.code(), Some(1), "{told}");
    assert!(told.contains("two.wav") && told.contains("memory"), "{told}");
    archive.run(["jobs", "retry", "--all"]).ends(0);
    archive.run(["enrich"]).ends(0);
    let said = found(&archive, "two.wav", "speech");
    let of = |n: &str| said.iter().filter(|f| f["speaker"] == n).map(text).collect::<Vec<_>>().join(" ").to_lowercase();
    assert!(of("channel 1").contains("sorry") || !of("channel 1").is_empty(), "{said:?}");
    assert!(of("channel 2").contains("echo") && !of("channel 1").contains("echo"), "{said:?}");
    assert_eq!(archive.rows("SELECT count(*) FROM looks"), ["1"]);
}

#[test]
fn what_a_worker_has_no_settings_for_is_given_back_and_holds_nothing_up() {
    let (Some(_), Some(_)) = (models("whisper-tiny.en"), models("silero-vad")) else { return };
    let archive = archive("  speech: { model: whisper-tiny.en, languages: [en] }\n");
    let drive = scratch();
    make(&drive.path().join("a.wav"), &["-f", "lavfi", "-i", "sine=f=440:d=2"]);
    make(&drive.path().join("b.png"), &["-f", "lavfi", "-i", "testsrc2=s=160x90", "-frames:v", "1"]);
    archive.ingest(drive.path()).0.ends(0);
    let id = |title: &str| archive.rows(&format!("SELECT id FROM assets WHERE title = '{title}'")).remove(0);
    archive.run(["enrich", "--enqueue", "--asset", &id("a.wav")]).ends(0).says("1 job(s) wait");
    fs::write(archive.root().join("learn.yaml"), "enrich:\n  looks: {}\n").unwrap();
    archive.run(["enrich", "--enqueue", "--asset", &id("b.png")]).ends(0).says("1 job(s) wait");
    let began = Instant::now();
    let ran = archive.run(["enrich", "--drain"]).ends(3).says("1 job(s) done");
    ran.says("1 job(s) were given back: this was planned with other models or settings");
    assert!(began.elapsed() < Duration::from_secs(60), "it waited for what it had given back");
    assert_eq!(archive.rows("SELECT count(*) FROM looks"), ["1"]);
    let left = "SELECT state, not_before > updated_at + 60000, max_attempt - attempt FROM jobs WHERE stage = 'enrich' AND state <> 'done'";
    assert_eq!(archive.rows(left), ["ready|1|5"]);
}

#[test]
fn speech_in_a_language_that_nobody_asked_for_is_doubted() {
    let (Some(_), Some(_)) = (models("whisper-base"), models("silero-vad")) else { return };
    let archive = archive("  speech: { model: whisper-base, languages: [es, en] }\n");
    let drive = scratch();
    let words = "Guten Abend, meine Damen und Herren. Heute sprechen wir über das Wetter in Deutschland und über die \
                 Regierung in Berlin, die gestern ein neues Gesetz beschlossen hat.";
    tool("espeak-ng", ["-v", "de", "-s", "140", "-w", drive.path().join("german.wav").to_str().unwrap(), words]);
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["enrich"]).ends(0);
    let said = found(&archive, "german.wav", "speech");
    assert!(!said.is_empty(), "nothing was heard");
    for f in &said {
        assert!(f["doubts"].to_string().contains("\"language\"") && f["trust"].as_f64() <= Some(0.3), "{f}");
    }
}
