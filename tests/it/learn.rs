//! With what is learned where not everything is here, what it is about, and recordings that are long or in another language.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    enrich::{archive, found, make, page, plain, speech, text},
    harness::{Archive, Ran, models, scratch, tool},
};

/// Runs it with the models of this folder.
fn with(archive: &Archive, models: &Path, words: &[&str]) -> Ran {
    archive.command(words).env("DAMCTL_MODELS", models).output().unwrap().into()
}

/// The active source of what was found in an asset.
fn source(archive: &Archive, title: &str, kind: &str) -> Value {
    let sql = format!(
        "SELECT f.source FROM findings f JOIN members m ON m.digest = f.master JOIN assets a ON a.id = m.asset
         WHERE a.title = '{title}' AND f.kind = '{kind}' AND f.active = 1"
    );
    serde_json::from_str(&archive.rows(&sql)[0]).unwrap()
}

fn profile(archive: &Archive, learning: &str) {
    fs::write(archive.root().join("learn.yaml"), format!("enrich:\n{learning}")).unwrap();
}

#[test]
fn print_is_read_by_tesseract_where_the_model_is_not_here_and_anew_once_it_is() {
    let has_spanish = Command::new("tesseract").arg("--list-langs").output();
    if !has_spanish.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).lines().any(|line| line == "spa")) {
        eprintln!("skipped: Tesseract is not here with Spanish");
        return;
    }
    let archive = archive("  text: {}\n");
    let (drive, none) = (scratch(), scratch());
    page(&drive.path().join("page.png"), "xc:white", "black", &[(40, 200, "La inflación bajó en marzo")]);
    archive.ingest(drive.path()).0.ends(0);
    let ran = with(&archive, none.path(), &["enrich"]).ends(0).says("1 job(s) done");
    let ran = ran.says("text is learned by Tesseract").says("the model 'pp-ocr-v6-small' is not here");
    assert_eq!(ran.stdout.matches("'damctl models pull pp-ocr-v6-small' gets it").count(), 1, "{}", ran.stdout);
    let words = |title: &str| found(&archive, title, "text").iter().map(|f| text(f).to_owned()).collect::<Vec<_>>();
    assert_eq!(words("page.png"), ["La inflación bajó en marzo"]);
    let by = source(&archive, "page.png", "text");
    assert!(by["name"] == "tesseract" && by["version"].as_str().is_some_and(|v| v.starts_with(['4', '5'])), "{by}");
    with(&archive, none.path(), &["enrich"]).ends(0).says("nothing to learn");
    let doctor = with(&archive, none.path(), &["doctor"]);
    doctor.says("tesseract in the place of pp-ocr-v6-small").says("damctl models pull pp-ocr-v6-small");

    // It is the same as if it had been asked for by name, and who wants no other than the model hears that it is missing.
    profile(&archive, "  text: { model: tesseract }\n");
    with(&archive, none.path(), &["enrich"]).ends(0).says("nothing to learn");
    profile(&archive, "  text: { fallback: none }\n");
    with(&archive, none.path(), &["enrich"]).ends(1).says("cannot learn text here");
    profile(&archive, "  text: {}\n");

    let (Some(ocr), Some(_)) = (models("pp-ocr-v6-small"), models("onnxruntime")) else { return };
    let here = ocr.parent().unwrap();
    with(&archive, here, &["enrich", "--dry-run"]).ends(0).says("learn text of page.png").says("would do 1 job(s)");
    with(&archive, here, &["enrich"]).ends(0).says("1 job(s) done");
    assert_eq!(source(&archive, "page.png", "text")["name"], "pp-ocr-v6-small");
    // A machine without the model takes nothing of that away.
    with(&archive, none.path(), &["enrich"]).ends(0).says("nothing to learn");
    assert_eq!(source(&archive, "page.png", "text")["name"], "pp-ocr-v6-small");

    // Whoever plans decides: one that has both does what was planned. One that has not, gives it back.
    page(&drive.path().join("other.png"), "xc:white", "black", &[(40, 200, "El banco central")]);
    archive.ingest(drive.path()).0.ends(0);
    with(&archive, none.path(), &["enrich", "--enqueue"]).ends(0).says("1 job(s) wait");
    with(&archive, here, &["enrich", "--drain"]).ends(0).says("1 job(s) done");
    assert_eq!(source(&archive, "other.png", "text")["name"], "tesseract");
    with(&archive, here, &["enrich", "--enqueue"]).ends(0).says("1 job(s) wait");
    with(&archive, none.path(), &["enrich", "--drain"]).ends(3).says("1 job(s) were given back");
}

#[test]
fn without_a_graphics_processor_the_smaller_model_listens_and_the_plan_names_it() {
    let (Some(_), Some(_)) = (models("whisper-tiny.en"), models("whisper-base")) else { return };
    let Some(voice) = speech("en_US_f_Allison", "demo-nogo") else { return };
    if damctl::speech::USES_GPU {
        eprintln!("skipped: this build uses a graphics processor where there is one");
        return;
    }
    let both = "  speech: { model: whisper-base, without_gpu: whisper-tiny.en, languages: [en] }\n";
    let archive = archive(both);
    let drive = scratch();
    make(&drive.path().join("one.wav"), &["-f", "g722", "-i", voice.to_str().unwrap()]);
    archive.ingest(drive.path()).0.ends(0);
    let told = "whisper-tiny.en + silero-vad in the place of whisper-base, on processors";
    let ran = archive.run(["enrich"]).ends(0).says(told);
    assert_eq!(ran.stderr.matches("in the place of").count() + ran.stdout.matches("in the place of").count(), 1);
    let name = |title: &str| source(&archive, title, "speech")["name"].as_str().unwrap().to_owned();
    assert_eq!(name("one.wav"), "whisper-tiny.en + silero-vad");
    archive.run(["doctor"]).says(told);

    // As a machine with one plans it; here, a worker that has both models does that, too.
    profile(&archive, "  speech: { model: whisper-base, languages: [en] }\n");
    archive.run(["enrich", "--enqueue"]).ends(0).says("1 job(s) wait");
    profile(&archive, both);
    archive.run(["enrich", "--drain"]).ends(0).says("1 job(s) done");
    assert_eq!(name("one.wav"), "whisper-base + silero-vad");
    // And what the larger one has heard stays.
    archive.run(["enrich"]).ends(0).says("nothing to learn");
    assert_eq!(name("one.wav"), "whisper-base + silero-vad");
}

#[test]
fn what_it_is_about_is_told_from_its_words_and_found_by_name_and_code() {
    let archive = archive("  topics: {}\n");
    let drive = scratch();
    for name in ["news.wav", "chat.wav"] {
        let tone = format!("sine=f={}:d=9", 300 + name.len() * 17 + usize::from(name.as_bytes()[0]));
        make(&drive.path().join(name), &["-f", "lavfi", "-i", &tone]);
    }
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["enrich"]).ends(0).says("nothing to learn");
    let say = |title: &str, words: &str| {
        let id = archive.rows(&format!("SELECT id FROM assets WHERE title = '{title}'")).remove(0);
        let srt = archive.root().join("mine.srt");
        fs::write(&srt, format!("1\n00:00:01,000 --> 00:00:08,000\n{words}\n")).unwrap();
        let srt = srt.to_str().unwrap();
        archive.run(["transcript", "import", srt, "--asset", &id, "--language", "es"]).ends(0);
    };
    say("news.wav", "La inflación bajó, los precios subieron menos y el banco central no movió la tasa de interés.");
    say("chat.wav", "Hola, buenas tardes a todos, y gracias por venir. Empezamos en un momento.");
    archive.run(["enrich", "--dry-run"]).ends(0).says("learn topics of news.wav").says("would do 2 job(s)");
    archive.run(["enrich"]).ends(0).says("2 job(s) done");
    let topics = found(&archive, "news.wav", "topic");
    assert_eq!(topics.len(), 1, "{topics:?}");
    let economy = "economía, negocios y finanzas";
    assert!(topics[0]["code"] == "medtop:04000000" && text(&topics[0]) == economy, "{topics:?}");
    assert!((0.3..1.0).contains(&topics[0]["trust"].as_f64().unwrap()), "{topics:?}");
    let by = source(&archive, "news.wav", "topic");
    assert!(by["name"] == "topics" && by["version"].as_str().is_some_and(|v| v.len() == 64), "{by}");
    assert!(found(&archive, "chat.wav", "topic").is_empty());
    archive.run(["enrich"]).ends(0).says("nothing to learn");

    archive.run(["index"]).ends(0);
    for question in
        ["topic:economía", "topic:04000000", "topic:medtop:04000000", "topic:=\"economía, negocios y finanzas\""]
    {
        assert_eq!(archive.hit(question)["title"], "news.wav", "{question}");
    }
    assert_eq!(archive.hit("has:topic topic:economía")["moments"][0]["kind"], "topic");
    assert_eq!(archive.json(["search", "topic:deporte", "--json"])["total"], 0);
    let counted = archive.json(["search", "kind:audio", "--json", "--facets", "topics"]);
    assert_eq!(counted["facets"][0], json!({"field": "topics", "values": [[economy, 1]], "others": 0}));

    // Other words, another list or another language of names: anew, and nothing else.
    say("chat.wav", "El delantero marcó dos goles y el árbitro anuló un penalti en el estadio.");
    archive.run(["enrich", "--dry-run"]).ends(0).says("learn topics of chat.wav").says("would do 1 job(s)");
    archive.run(["enrich"]).ends(0);
    assert_eq!(text(&found(&archive, "chat.wav", "topic")[0]), "deporte");
    profile(
        &archive,
        "  topics: { labels: en, own: { 'casa:liga': { name: { en: the league }, words: { es: [gol, penalti, árbitro, \
         delantero, estadio] } } } }\n",
    );
    archive.run(["enrich"]).ends(0).says("2 job(s) done");
    let names: Vec<String> = found(&archive, "chat.wav", "topic").iter().map(|f| text(f).to_owned()).collect();
    assert_eq!(names, ["the league", "sport"]);
    let wrong = [
        ("{ most: 0 }", "expected 1 to 10"),
        ("{ labels: fr }", "expected es or en"),
        ("{ media_topics: false }", "own"),
    ];
    for (section, why) in wrong {
        profile(&archive, &format!("  topics: {section}\n"));
        archive.run(["enrich"]).ends(2).says(why);
    }
}

#[test]
fn what_is_found_in_words_is_looked_for_alone_in_those_that_are_there() {
    for name in ["es-core-news-sm", "en-core-web-sm"] {
        if models(name).is_none() {
            return;
        }
    }
    let archive = archive("  speech: { model: whisper-medium }\n  names: {}\n  topics: {}\n");
    let drive = scratch();
    make(&drive.path().join("talk.wav"), &["-f", "lavfi", "-i", "sine=f=440:d=9"]);
    archive.ingest(drive.path()).0.ends(0);
    let id = archive.rows("SELECT id FROM assets").remove(0);
    let srt = archive.root().join("mine.srt");
    let words =
        "Dolores Ibárruri dijo en Madrid que la inflación bajó y que el banco central no movió la tasa de interés.";
    fs::write(&srt, format!("1\n00:00:01,000 --> 00:00:08,000\n{words}\n")).unwrap();
    archive.run(["transcript", "import", srt.to_str().unwrap(), "--asset", &id, "--language", "es"]).ends(0);

    // What speech lacks is nothing to those who do not ask for it.
    let kinds = "SELECT DISTINCT kind FROM findings WHERE kind <> 'speech' ORDER BY kind";
    archive.run(["enrich", "--only", "names", "--dry-run"]).ends(0).says("learn names of").says("would do 1 job(s)");
    archive.run(["enrich", "--only", "names"]).ends(0).says("1 job(s) done");
    assert_eq!(archive.rows(kinds), ["keyword", "organization", "person", "place"]);
    assert_eq!(found(&archive, "talk.wav", "person")[0]["text"], "Dolores Ibárruri");
    archive.run(["enrich", "--only", "person,place"]).ends(0).says("nothing to learn");
    archive.run(["enrich", "--only", "topics"]).ends(0).says("1 job(s) done");
    assert!(archive.rows(kinds).contains(&"topic".to_owned()));

    for key in ["text", "objects", "meaning", "looks"] {
        archive.run(["enrich", "--only", key]).ends(2).says("nothing of what --only names is asked for");
    }
    archive.run(["enrich", "--only", "people"]).ends(2).says("expected one of speech, text, objects, names, topics");
}

#[test]
fn french_where_spanish_and_english_were_asked_for_is_not_trusted_and_is_told_where_any_language_may_be_spoken() {
    let (Some(_), Some(_)) = (models("whisper-base"), models("silero-vad")) else { return };
    let archive = archive("  speech: { model: whisper-base, languages: [es, en] }\n");
    let drive = scratch();
    let words = "Bonsoir à tous. Ce soir, nous parlons du temps qu'il fait en France et du gouvernement à Paris, qui a décidé \
                 hier une nouvelle loi sur les écoles et les hôpitaux.";
    tool("espeak-ng", ["-v", "fr", "-s", "140", "-w", drive.path().join("french.wav").to_str().unwrap(), words]);
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["enrich"]).ends(0).says("1 job(s) done");
    let is_doubted = |said: &[Value]| {
        let doubted = |f: &Value| f["doubts"].to_string().contains("\"language\"") && f["trust"].as_f64() <= Some(0.3);
        assert!(!said.is_empty() && said.iter().all(doubted), "{said:?}");
    };
    // Of this voice the model makes nothing in either language: it is written down in its own, and doubted.
    is_doubted(&found(&archive, "french.wav", "speech"));
    // One language is no reason to believe that it is the one.
    profile(&archive, "  speech: { model: whisper-base, languages: [es] }\n");
    archive.run(["enrich"]).ends(0).says("1 job(s) done");
    is_doubted(&found(&archive, "french.wav", "speech"));
    profile(&archive, "  speech: { model: whisper-base, languages: [] }\n");
    archive.run(["enrich"]).ends(0).says("1 job(s) done");
    let said = found(&archive, "french.wav", "speech");
    assert!(said.len() > 1 && said.iter().all(|f| f["language"] == "fr"), "{said:?}");
    assert!(said.iter().any(|f| text(f).contains("France")), "{said:?}");
}

#[test]
fn another_language_that_begins_within_a_stretch_is_doubted_from_there_on_however_many_are_expected() {
    let (Some(_), Some(_)) = (models("whisper-base"), models("silero-vad")) else { return };
    let archive = archive("  speech: { model: whisper-base, languages: [es, en], words: false }\n");
    let (drive, parts) = (scratch(), scratch());
    let say = |voice: &str, speed: &str, words: &str| {
        let path = parts.path().join(format!("{voice}.wav"));
        tool("espeak-ng", ["-v", voice, "-s", speed, "-w", path.to_str().unwrap(), words]);
        path.to_str().unwrap().to_owned()
    };
    let own = say(
        "es",
        "140",
        "Buenas noches a todos. Hoy hablamos del tiempo en España y del gobierno en Madrid, que decidió ayer una nueva ley \
         sobre las escuelas y los hospitales.",
    );
    let other = say(
        "de+f2",
        "150",
        "Guten Abend, meine Damen und Herren. Heute sprechen wir über das Wetter in Deutschland und über die Regierung in \
         Berlin, die gestern ein neues Gesetz beschlossen hat. Morgen wird es in Bayern regnen, und am Wochenende kommt die \
         Sonne zurück.",
    );
    // The first ends in the middle of a sentence, without a pause.
    let both = "[0]atrim=end=11[a];[a][1]concat=n=2:v=0:a=1";
    make(&drive.path().join("both.wav"), &["-i", &own, "-i", &other, "-filter_complex", both]);
    make(&drive.path().join("own.wav"), &["-i", &own]);
    archive.ingest(drive.path()).0.ends(0);
    for languages in ["[es, en]", "[es]"] {
        profile(&archive, &format!("  speech: {{ model: whisper-base, languages: {languages}, words: false }}\n"));
        archive.run(["enrich"]).ends(0).says("2 job(s) done");
        let said = found(&archive, "both.wav", "speech");
        let (early, late): (Vec<&Value>, Vec<&Value>) = said.iter().partition(|f| f["to_ms"].as_u64() < Some(12_500));
        assert!(!early.is_empty() && late.len() > 1, "{languages}: {said:?}");
        assert!(early.iter().all(|f| f.get("doubts").is_none()), "{languages}: {said:?}");
        for f in late {
            let is_doubted = f["doubts"].to_string().contains("\"language\"") && f["trust"].as_f64() <= Some(0.3);
            assert!(is_doubted, "{languages}: {f}");
        }
        let said = found(&archive, "own.wav", "speech");
        assert!(said.len() > 1 && said.iter().all(|f| f.get("doubts").is_none()), "{languages}: {said:?}");
    }
}

/// Ten hours at 8 kHz, of which little is not silence: at these seconds somebody speaks.
fn ten_hours(path: &Path, voice: &Path, at: &[u64]) {
    let late = |(n, s): (usize, &u64)| format!("[s{n}]adelay={}:all=1[v{n}]", s * 1000);
    let each = at.iter().enumerate().map(late).collect::<Vec<_>>().join(";");
    let named = |letter: char| (0..at.len()).map(|n| format!("[{letter}{n}]")).collect::<String>();
    let (split, names) = (named('s'), named('v'));
    let mix = format!("amix=inputs={}:normalize=0:duration=longest,apad=whole_dur=36000", at.len());
    let graph = format!("[0]aresample=8000,asplit={}{split};{each};{names}{mix}", at.len());
    make(path, &["-f", "g722", "-i", voice.to_str().unwrap(), "-filter_complex", &graph, "-ac", "1", "-c:a", "flac"]);
}

/// How a command ended, and the most memory in MB that one of the processes that it started held.
fn most_memory(command: &mut Command) -> (Ran, u64) {
    let mut running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let parent = running.id().to_string();
    let mut most = 0;
    while running.try_wait().unwrap().is_none() {
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let status = fs::read_to_string(process.path().join("status")).unwrap_or_default();
            let of = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
            if of("PPid:") == Some(&parent) {
                most = most.max(of("VmHWM:").and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024);
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    (running.wait_with_output().unwrap().into(), most)
}

#[test]
fn ten_hours_are_heard_in_little_memory_and_times_are_right_to_their_end() {
    let (Some(_), Some(_)) = (models("whisper-tiny.en"), models("silero-vad")) else { return };
    let Some(voice) = speech("en_US_f_Allison", "demo-congrats") else { return };
    let archive = archive("  speech: { model: whisper-tiny.en, languages: [en], words: false }\n");
    let drive = scratch();
    // Across the end of a block of ten minutes, in the middle, and in the last hour.
    let at = [590, 17_990, 34_200];
    ten_hours(&drive.path().join("day.flac"), &voice, &at);
    archive.ingest(drive.path()).0.ends(0);
    let began = Instant::now();
    let (ran, most) = most_memory(&mut archive.command(["enrich"]));
    ran.ends(0).says("1 job(s) done");
    eprintln!("ten hours took {:.1} s and {most} MB", began.elapsed().as_secs_f64());
    // As 32-bit samples alone it would be 2300 MB.
    assert!((50..700).contains(&most), "{most} MB");
    let said = found(&archive, "day.flac", "speech");
    for from in at {
        let within = |f: &&Value| (from * 1000..(from + 40) * 1000).contains(&f["from_ms"].as_u64().unwrap());
        let its: Vec<&Value> = said.iter().filter(within).collect();
        let words = plain(&its.iter().map(|f| text(f)).collect::<Vec<_>>().join(" ")).join(" ");
        assert!(words.contains("successfully installed") && words.contains("telephone"), "{from}: {words}");
        let first = its[0]["from_ms"].as_u64().unwrap();
        assert!(first < (from + 1) * 1000, "{from}: it begins at {first} ms");
    }
    assert!(said.iter().all(|f| f.get("doubts").is_none()), "{said:?}");
    let is_near = |f: &Value| at.iter().any(|s| (s * 1000..(s + 40) * 1000).contains(&f["from_ms"].as_u64().unwrap()));
    assert!(said.iter().all(is_near), "{said:?}");
}

/// A folder of models of one's own, in which one lies as it would have come.
pub fn shelved(dir: &Path, name: &str, purpose: &str, file: &str, bytes: &[u8]) -> PathBuf {
    let folder = dir.join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(file), bytes).unwrap();
    let digest = damctl::digest::Digest::of(bytes).to_string();
    let record = json!({"use": purpose, "about": "x", "license": "x", "files": {file: digest}});
    fs::write(folder.join("model.json"), record.to_string()).unwrap();
    folder
}

#[test]
fn what_is_no_model_is_refused_when_it_is_brought_and_fails_alone_where_it_came_all_the_same() {
    let archive = archive("  speech: { model: garbage, languages: [en] }\n");
    let (drive, own) = (scratch(), scratch());
    let garbage = [b"lmgg".as_slice(), &[7; 5000]].concat();
    let path = drive.path().join("garbage.bin");
    fs::write(&path, &garbage).unwrap();
    let path = path.to_str().unwrap();
    for (purpose, why) in [
        ("speech", "no Whisper model says"),
        ("voice", "is not a model of voices"),
        ("objects", "no ONNX model"),
        ("text", "a model for text is a folder"),
        ("names", "a model for names is a folder"),
        ("runtime", "no ONNX Runtime"),
    ] {
        with(&archive, own.path(), &["models", "import", path, "--as", "mine", "--for", purpose]).ends(2).says(why);
    }
    let missing = ["models", "import", "/nowhere/x.bin", "--as", "mine"];
    with(&archive, own.path(), &missing).ends(2).says("there is no /nowhere/x.bin");
    assert!(!own.path().join("mine").exists());

    let Some(base) = models("whisper-tiny.en") else { return };
    let all = base.parent().unwrap();
    for (name, file, purpose) in [
        ("whisper-tiny.en", "model.bin", "speech"),
        ("silero-vad", "model.bin", "voice"),
        ("centernet-coco", "model.onnx", "objects"),
        ("nudenet", "model.onnx", "objects"),
        ("onnxruntime", "libonnxruntime.so", "runtime"),
        ("pp-ocr-v6-small", "", "text"),
        ("es-core-news-sm", "", "names"),
    ] {
        let Some(from) = models(name) else { continue };
        let from = from.join(file);
        let import = ["models", "import", from.to_str().unwrap(), "--as", &format!("my-{name}"), "--for", purpose];
        with(&archive, own.path(), &import).ends(0);
    }
    // Cut short, or for another use.
    let cut = drive.path().join("cut.bin");
    fs::copy(base.join("model.bin"), &cut).unwrap();
    fs::OpenOptions::new().write(true).open(&cut).unwrap().set_len(40_000_000).unwrap();
    let import = ["models", "import", cut.to_str().unwrap(), "--as", "cut"];
    with(&archive, own.path(), &import).ends(2).says("it ends early");
    let voice = all.join("silero-vad/model.bin");
    with(&archive, own.path(), &["models", "import", voice.to_str().unwrap(), "--as", "cut"]).ends(2);
    if let Some(ocr) = models("pp-ocr-v6-small") {
        let reader = ocr.join("rec.onnx");
        let import = ["models", "import", reader.to_str().unwrap(), "--as", "cut", "--for", "objects"];
        with(&archive, own.path(), &import).ends(2).says("no detector of objects").says("expected is");
    }

    // One that came all the same is told once, and not by each recording.
    shelved(own.path(), "garbage", "speech", "model.bin", &garbage);
    let whole = fs::read(base.join("model.bin")).unwrap();
    shelved(own.path(), "cut", "speech", "model.bin", &whole[..whole.len() - 1]);
    shelved(own.path(), "empty", "speech", "model.bin", b"");
    // Its head and its outline are those of a model that it is not.
    let odd = [&whole[..4], &51_865_i32.to_le_bytes(), &whole[8..]].concat();
    shelved(own.path(), "odd", "speech", "model.bin", &odd);
    let made = own.path().join("my-silero-vad");
    fs::rename(&made, own.path().join("silero-vad")).unwrap();
    let talk = scratch();
    make(&talk.path().join("talk.wav"), &["-f", "lavfi", "-i", "sine=f=440:d=3"]);
    archive.ingest(talk.path()).0.ends(0);
    for (name, why) in
        [("garbage", "no Whisper model says"), ("cut", "it ends early"), ("empty", "does not begin as they do")]
    {
        profile(&archive, &format!("  speech: {{ model: {name}, languages: [en] }}\n"));
        let ran = with(&archive, own.path(), &["enrich"]).ends(1).says("cannot learn speech here");
        let ran = ran.says(&format!("the model '{name}' is of no use")).says(why);
        assert!(!ran.stdout.contains("talk.wav"), "{}", ran.stdout);
    }
    // Whatever else is wrong with one is seen when it is loaded: its job fails, and says why.
    profile(&archive, "  speech: { model: odd, languages: [en] }\n");
    let ran = with(&archive, own.path(), &["enrich"]).ends(1).says("talk.wav");
    ran.says("odd/model.bin cannot be loaded");
    assert_eq!(archive.rows("SELECT count(*) FROM findings"), ["0"]);
}
