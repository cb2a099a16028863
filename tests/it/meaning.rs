//! Found by what it means, with a real model: `multilingual-e5-small` and ONNX Runtime are looked for in `target/test-models` or
//! in what `DAMCTL_TEST_MODELS` names.

use std::fs;

use serde_json::{Value, json};

use crate::{
    harness::{Archive, models, scratch},
    search::{bearer, token},
    serve::Server,
};

/// Three talks in English; the question shares no word with any of them.
const TALKS: [(&str, &[&str]); 3] = [
    (
        "economy.wav",
        &[
            "Good evening and welcome back to the program.",
            "Food and rent cost much more than they did a year ago.",
            "Stay with us after the break.",
        ],
    ),
    (
        "football.wav",
        &["The goalkeeper saved a penalty in the last minute.", "Both teams played the second half with ten men."],
    ),
    (
        "garden.wav",
        &["Water the roses in the morning and cut them back in winter.", "Tomatoes need a warm and sunny wall."],
    ),
];
const QUESTION: &str = "¿por qué es tan caro vivir hoy?";

/// An archive of these talks, whose profile asks for what they mean.
fn archive() -> Option<(Archive, Vec<String>)> {
    let (model, _) = (models("multilingual-e5-small")?, models("onnxruntime")?);
    let archive = Archive::new();
    profile(&archive, "  meaning: {}\n");
    let settings = archive.root().join("damctl.yaml");
    let text = fs::read_to_string(&settings).unwrap_or_default();
    let shelf = model.parent().unwrap().display().to_string();
    fs::write(&settings, format!("{text}\nprofile: learn.yaml\nmodels: {shelf}\n")).unwrap();
    let drive = scratch();
    for (n, (name, _)) in TALKS.iter().enumerate() {
        // Each sounds another way, or they would be one asset.
        let sound = format!("sine=f={}:d=30", 300 + 50 * n);
        let to = drive.path().join(name).display().to_string();
        crate::harness::tool("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", &sound, &to]);
    }
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["index"]).ends(0);
    let assets = TALKS.iter().map(|(name, lines)| {
        let hit = &archive.json(["search", "--json", &format!("title:{}", name.trim_end_matches(".wav"))])["hits"][0];
        let asset = hit["asset"].as_str().unwrap().to_owned();
        import(&archive, &asset, lines);
        asset
    });
    let assets = assets.collect();
    Some((archive, assets))
}

fn profile(archive: &Archive, learning: &str) {
    fs::write(archive.root().join("learn.yaml"), format!("enrich:\n  looks: {{}}\n{learning}")).unwrap();
}

/// A transcript, a line every ten seconds.
fn import(archive: &Archive, asset: &str, lines: &[&str]) {
    let mut text = "WEBVTT\n".to_owned();
    for (n, line) in lines.iter().enumerate() {
        text.push_str(&format!("\n00:00:{:02}.000 --> 00:00:{:02}.000\n{line}\n", n * 10, n * 10 + 3));
    }
    let file = archive.root().join("words.vtt");
    fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    archive.run(["transcript", "import", &file, "--asset", asset, "--language", "en"]).ends(0);
}

fn ask(archive: &Archive, more: &[&str]) -> Vec<Value> {
    let answer = archive.json([&["search", "--json", "--meaning", QUESTION], more].concat());
    assert_eq!(answer["total"].as_u64().unwrap() as usize, answer["hits"].as_array().unwrap().len(), "{answer}");
    answer["hits"].as_array().unwrap().clone()
}

fn titles(hits: &[Value]) -> Vec<&str> {
    hits.iter().map(|hit| hit["title"].as_str().unwrap()).collect()
}

#[test]
fn a_spanish_question_finds_an_english_passage_that_shares_no_word_with_it() {
    let Some((archive, assets)) = archive() else { return };
    // As long as nobody knows what they mean, it is told what helps.
    let ask_too_early = archive.run(["search", "--meaning", QUESTION]);
    ask_too_early.ends(2).says("has nothing of what texts mean").says("'damctl enrich'").says("'damctl index'");
    archive.run(["enrich"]).ends(0).says("3 job(s) done");
    archive.run(["enrich"]).ends(0).says("nothing to learn");
    archive.run(["index"]).ends(0);
    archive.run(["index"]).ends(0).says("nothing to do");
    archive.run(["search", QUESTION]).ends(0).says("nothing found");
    let hits = ask(&archive, &[]);
    assert_eq!((hits.len(), titles(&hits)[0]), (3, "economy.wav"), "{:?}", titles(&hits));
    let spot = &hits[0]["moments"][0];
    assert_eq!((spot["by"].as_str(), spot["from_ms"].as_u64()), (Some("meaning"), Some(10_000)), "{spot}");
    assert_eq!(spot["text"], "Food and rent cost much more than they did a year ago.");
    assert!(hits[0]["likeness"].as_f64() > hits[1]["likeness"].as_f64(), "{hits:?}");
    archive.run(["search", "--meaning", QUESTION]).ends(0).says("like: Food and rent cost much more");
    // Conditions hold; words that are there and meaning come together.
    assert!(ask(&archive, &["kind:video"]).is_empty());
    assert_eq!(titles(&ask(&archive, &["said:penalty"])), ["football.wav"]);
    let both = archive.json(["search", "--json", "--meaning", "roses"]);
    assert_eq!(both["hits"][0]["title"], "garden.wav");
    archive.run(["search", "--meaning", "kind:audio"]).ends(2).says("no words whose meaning could be looked for");
    archive.run(["search", "--meaning", "--sort", "newest", "rosas"]).ends(2).says("no order but relevance");
    archive.run(["index", "--check"]).ends(0).says("passage(s) can be found by their meaning");

    // Other words: what they meant before is gone with the next index, what they mean now comes with the next enrich.
    import(&archive, &assets[0], &["The orchestra plays Brahms tonight."]);
    archive.run(["index"]).ends(0);
    assert!(!titles(&ask(&archive, &[])).contains(&"economy.wav"));
    archive.run(["enrich", "--dry-run"]).ends(0).says("learn meaning of economy.wav");
    archive.run(["enrich"]).ends(0).says("1 job(s) done");
    archive.run(["index"]).ends(0);
    let hits = ask(&archive, &[]);
    assert_eq!(hits.len(), 3);
    assert!(hits.iter().all(|hit| !hit.to_string().contains("Food and rent")), "{hits:?}");
    archive.run(["index", "--check"]).ends(0).says("are left of others");
    // Made anew, it has those that count and no others.
    archive.run(["index", "--rebuild"]).ends(0);
    assert_eq!(ask(&archive, &[]).len(), 3);
    let checked = archive.run(["index", "--check"]);
    assert!(!checked.ends(0).stdout.contains("are left of others"));
    let db = archive.catalog();
    let before = db.query_row("SELECT COUNT(*) FROM events WHERE kind = 'meaning.ready'", [], |r| r.get::<_, i64>(0));
    assert_eq!(before.unwrap(), 4, "each that was known, and the one that was changed");
}

#[test]
fn the_endpoint_asks_by_meaning_and_keeps_collections_apart() {
    let Some((archive, assets)) = archive() else { return };
    let db = archive.catalog();
    db.execute("UPDATE assets SET collection = 'Secreto' WHERE id = ?1", [&assets[0]]).unwrap();
    db.execute("UPDATE assets SET collection = 'Deportes' WHERE id <> ?1", [&assets[0]]).unwrap();
    drop(db);
    archive.run(["enrich"]).ends(0);
    archive.run(["index", "--rebuild"]).ends(0);
    let server = Server::start(&archive);
    let address = "/api/v1/search?meaning=true&facets=collection&q=%C2%BFpor+qu%C3%A9+es+tan+caro+vivir+hoy%3F";
    let all = server.json(address);
    assert_eq!((&all["total"], &all["hits"][0]["title"]), (&json!(3), &json!("economy.wav")), "{all}");
    assert_eq!(all["hits"][0]["moments"][0]["by"], "meaning");
    let editor = token(&archive, &["Ana", "--role", "editor", "--collection", "Deportes"]);
    let body = json!({"q": QUESTION, "meaning": true, "facets": "collection"});
    let few = server.send("POST", "/api/v1/search", &bearer(&editor), &body);
    let few = few.json();
    assert_eq!((&few["total"], &few["facets"][0]["values"]), (&json!(2), &json!([["Deportes", 2]])), "{few}");
    assert!(!few.to_string().contains("economy") && !few.to_string().contains("Food and rent"), "{few}");
    // Page by page the same as at once.
    let page = |cursor: &str| server.json(&format!("{address}&limit=1{cursor}"));
    let titles_of =
        |answer: &Value| answer["hits"].as_array().unwrap().iter().map(|hit| hit["title"].clone()).collect::<Vec<_>>();
    let mut answer = page("");
    let mut titles = titles_of(&answer);
    while let Some(cursor) = answer["next"].as_str() {
        answer = page(&format!("&cursor={cursor}"));
        titles.extend(titles_of(&answer));
    }
    let whole = titles_of(&all);
    assert_eq!(titles, whole);
    for (wrong, says) in [
        ("/api/v1/search?meaning=true&q=kind:audio", "no words whose meaning"),
        ("/api/v1/search?meaning=true&q=pan&sort=newest", "no order but relevance"),
        ("/api/v1/search?meaning=true&q=%22pan", "quotation mark"),
    ] {
        let reply = server.get(wrong);
        assert!(reply.status == 400 && reply.text().contains(says), "{wrong}: {}", reply.text());
    }
}

#[test]
fn what_lacks_for_meaning_is_told_with_the_command_that_brings_it() {
    let archive = Archive::new();
    let settings = archive.root().join("damctl.yaml");
    let text = fs::read_to_string(&settings).unwrap_or_default();
    fs::write(&settings, format!("{text}\nprofile: learn.yaml\n")).unwrap();
    profile(&archive, "");
    archive.run(["index"]).ends(0);
    let told = archive.run(["search", "--meaning", "pan"]);
    told.ends(2).says("the profile does not ask for what texts mean").says("'meaning: {}'");
    profile(&archive, "  meaning: {}\n");
    let told = archive.run(["search", "--meaning", "pan"]);
    told.ends(2).says("'multilingual-e5-small' is not here").says("'damctl models pull multilingual-e5-small'");
    let server = Server::start(&archive);
    let reply = server.get("/api/v1/search?meaning=true&q=pan");
    assert!(reply.status == 400 && reply.text().contains("damctl models pull"), "{}", reply.text());
    assert_eq!(server.get("/api/v1/search?q=pan").status, 200);
}
