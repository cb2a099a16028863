//! What editors ask, and what they get.

use super::*;
use crate::model::{AssetId, Audience, Description, FindingKind, MediaKind, Rights, Timecode};

mod counted;
mod hidden;
mod meaning;
mod pruned;
mod refused;
mod unknown;

struct Archive {
    dir: tempfile::TempDir,
    searcher: Searcher,
}

fn index(documents: &[Document], shards: u32) -> Archive {
    let dir = tempfile::tempdir().unwrap();
    let id = beside(dir.path(), shards).unwrap();
    for shard in 0..shards {
        let writer = Writer::open(dir.path(), &id.id, shard, 1).unwrap();
        let of: Vec<Document> = documents.iter().filter(|d| id.shard_of(d.card.asset) == shard).cloned().collect();
        // In several commits, so that there are several pieces.
        for chunk in of.chunks(2) {
            writer.replace(chunk, &[]).unwrap();
            writer.commit().unwrap();
        }
    }
    switch(dir.path(), &id).unwrap();
    let searcher = Searcher::new(dir.path());
    Archive { dir, searcher }
}

/// An index of one shard, each piece of it as it is given.
fn in_pieces(pieces: &[Vec<Document>]) -> Archive {
    let dir = tempfile::tempdir().unwrap();
    let id = beside(dir.path(), 1).unwrap();
    let writer = Writer::open(dir.path(), &id.id, 0, 1).unwrap();
    for piece in pieces {
        writer.replace(piece, &[]).unwrap();
        writer.commit().unwrap();
    }
    switch(dir.path(), &id).unwrap();
    let searcher = Searcher::new(dir.path());
    Archive { dir, searcher }
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    /// One below `end`.
    fn next(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

fn card(title: &str) -> Card {
    let asset = AssetId::derived(&[title]);
    Card { paths: vec![format!("DRIVE/2024/{title}")], ..Card::bare(asset, MediaKind::Video, title) }
}

fn plain(title: &str) -> Document {
    Document { card: card(title), moments: Vec::new(), meaning: None }
}

fn moment(kind: FindingKind, from_ms: u64, text: &str) -> Moment {
    let (code, speaker, area, trust, doubts) = (None, None, None, Some(0.9), Vec::new());
    Moment { kind, from_ms, to_ms: from_ms + 2000, text: text.to_owned(), code, speaker, area, trust, doubts }
}

fn said(title: &str, lines: &[&str]) -> Document {
    let each = lines.iter().enumerate().map(|(n, line)| moment(FindingKind::Speech, n as u64 * 4000, line));
    Document { card: card(title), moments: each.collect(), meaning: None }
}

impl Archive {
    fn ask(&self, question: &Question<'_>) -> Answer {
        self.searcher.search(question).unwrap_or_else(|e| panic!("{}: {e}", question.words))
    }

    fn titles(&self, words: &str) -> Vec<String> {
        let answer = self.ask(&Question { words, ..Question::default() });
        answer.hits.into_iter().map(|h| h.card.title).collect()
    }

    fn sorted(&self, words: &str) -> Vec<String> {
        let mut titles = self.titles(words);
        titles.sort();
        titles
    }
}

#[test]
fn words_are_found_in_titles_and_in_what_was_said_whatever_their_form() {
    let a = said("plató.mov", &["hoy hablamos de la inflación", "y de los bancos centrales"]);
    let archive =
        index(&[a, plain("ENTREVISTA_2024-03_final.mov"), plain("canciones.wav"), plain("elecciones.mov")], 1);
    for (words, title) in [
        ("inflacion", "plató.mov"),
        ("INFLACIÓN", "plató.mov"),
        ("banco central", "plató.mov"),
        ("plato inflacion", "plató.mov"),
        ("canción", "canciones.wav"),
        ("entrevista", "ENTREVISTA_2024-03_final.mov"),
        ("2024-03", "ENTREVISTA_2024-03_final.mov"),
        ("entrev*", "ENTREVISTA_2024-03_final.mov"),
        ("ENTREVISTA_2024-0*", "ENTREVISTA_2024-03_final.mov"),
        ("file:REVISTA_20", "ENTREVISTA_2024-03_final.mov"),
        ("*4-03_f*", "ENTREVISTA_2024-03_final.mov"),
        ("revista", "ENTREVISTA_2024-03_final.mov"),
        ("title:eleccion", "elecciones.mov"),
        ("said:inflación", "plató.mov"),
        ("\"la inflación\"", "plató.mov"),
        ("\"ENTREVISTA 2024\"", "ENTREVISTA_2024-03_final.mov"),
    ] {
        assert_eq!(archive.titles(words), [title], "{words}");
    }
    let long = "x".repeat(100);
    for words in [
        long.as_str(),
        "🎬",
        "title:inflación",
        "said:entrevista",
        "\"inflación la\"",
        "inflación entrevista",
        "shown:inflación",
    ] {
        assert_eq!(archive.titles(words), Vec::<String>::new(), "{words}");
    }
    assert_eq!(archive.sorted("inflación OR canción"), ["canciones.wav", "plató.mov"]);
    assert_eq!(archive.sorted("mov -inflación"), ["ENTREVISTA_2024-03_final.mov", "elecciones.mov"]);
    assert_eq!(archive.sorted("NOT mov"), ["canciones.wav"]);
    assert_eq!(archive.titles("").len(), 4);
}

#[test]
fn a_hit_brings_its_best_moments_with_timecode_and_frame() {
    let mut a = said("a.mov", &["nada", "la inflación sube", "y otra vez la inflación, la inflación", "fin"]);
    a.card.technical.rate = Some((25, 1));
    a.card.technical.timecode =
        Some(Timecode { value: "10:00:00:00".into(), drop_frame: false, source: "stream".into() });
    let b = said("b.mov", &["sin nada"]);
    let archive = index(&[b, a, plain("c.mov")], 1);
    let answer = archive.ask(&Question { words: "inflación", ..Question::default() });
    let [hit] = answer.hits.as_slice() else { panic!("{answer:?}") };
    let spots: Vec<_> = hit.moments.iter().map(|s| (s.moment.from_ms, s.timecode.clone().unwrap(), s.frame)).collect();
    assert_eq!(
        spots,
        [(8000, "10:00:08:00".to_owned(), Some(200)), (4000, "10:00:04:00".to_owned(), Some(100))],
        "the one that says it twice is first"
    );
    assert_eq!(hit.moments[1].snippet, "la <b>inflación</b> sube");
    assert_eq!(hit.snippet, hit.moments[0].snippet);
    let one = archive.ask(&Question { words: "inflación", moments: 1, ..Question::default() });
    assert_eq!(one.hits[0].moments.len(), 1);
}

#[test]
fn what_is_doubtful_is_shown_behind_what_is_not() {
    let mut a = said("a.mov", &["gracias por ver el video video", "un video"]);
    a.moments[0].doubts = vec!["invented".into()];
    let archive = index(&[a], 1);
    let answer = archive.ask(&Question { words: "video", ..Question::default() });
    let texts: Vec<_> = answer.hits[0].moments.iter().map(|s| s.moment.text.as_str()).collect();
    assert_eq!(texts, ["un video", "gracias por ver el video video"]);
}

#[test]
fn replaced_and_removed_assets_are_found_as_they_are_now() {
    let archive = index(&[said("a.mov", &["uno"]), said("b.mov", &["dos"]), said("c.mov", &["tres"])], 1);
    let id = current(archive.dir.path()).unwrap().unwrap();
    let writer = Writer::open(archive.dir.path(), &id.id, 0, 1).unwrap();
    writer.replace(&[said("a.mov", &["cuatro"])], &[AssetId::derived(&["c.mov"])]).unwrap();
    assert_eq!(archive.titles("said:uno"), ["a.mov"], "before the commit");
    writer.commit().unwrap();
    assert_eq!(archive.titles("said:uno"), Vec::<String>::new());
    assert_eq!(archive.titles("said:cuatro"), ["a.mov"]);
    assert_eq!(archive.titles("said:tres"), Vec::<String>::new());
    assert_eq!(archive.titles("said:dos"), ["b.mov"]);
    assert_eq!(archive.searcher.len().unwrap(), 2);
    // A second writer hears that there is one.
    let e = Writer::open(archive.dir.path(), &id.id, 0, 1).map(drop).unwrap_err();
    assert_eq!(e.kind(), crate::error::Kind::Unavailable);
}

#[test]
fn forms_of_a_word_are_found_when_the_asset_that_had_it_first_is_gone() {
    let archive = index(&[said("a.mov", &["dos canciones"]), said("b.mov", &["unas canciones"])], 1);
    let id = current(archive.dir.path()).unwrap().unwrap();
    let writer = Writer::open(archive.dir.path(), &id.id, 0, 1).unwrap();
    let gone = [AssetId::derived(&["a.mov"])];
    writer.replace(&[said("b.mov", &["las canciones"])], &gone).unwrap();
    writer.commit().unwrap();
    writer.replace(&[said("b.mov", &["las canciones"]), said("c.mov", &["inflaciones"])], &gone).unwrap();
    writer.commit().unwrap();
    writer.settle().unwrap();
    assert_eq!(archive.titles("canción"), ["b.mov"]);
    assert_eq!(archive.titles("said:inflación"), ["c.mov"]);
    assert_eq!(archive.searcher.len().unwrap(), 2);
}

#[test]
fn what_is_typed_of_a_title_leads_to_all_of_it() {
    let archive = index(&[plain("entrevista_final.mov"), plain("Visita del Alcalde.mov")], 1);
    let suggest = |typed: &str| {
        let all = archive.searcher.suggest(typed, &Access::all(), 10).unwrap();
        all.into_iter().map(|s| s.text).find(|text| text.ends_with(".mov"))
    };
    for (typed, title) in [
        ("entre", "entrevista_final.mov"),
        ("final", "entrevista_final.mov"),
        ("visita d", "Visita del Alcalde.mov"),
        ("del alc", "Visita del Alcalde.mov"),
    ] {
        assert_eq!(suggest(typed).as_deref(), Some(title), "{typed}");
    }
}

#[test]
fn shards_answer_as_one_index() {
    let all: Vec<Document> =
        (0..40).map(|n| said(&format!("clip_{n:02}.mov"), &["común", &format!("sólo{n}")])).collect();
    let (one, many) = (index(&all, 1), index(&all, 4));
    assert_eq!(many.searcher.len().unwrap(), 40);
    assert_eq!(many.titles("solo17"), ["clip_17.mov"]);
    for archive in [&one, &many] {
        let mut seen = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let question = Question { words: "comun", limit: 7, cursor: cursor.as_deref(), ..Question::default() };
            let answer = archive.ask(&question);
            assert_eq!(answer.total, 40);
            assert!(answer.hits.iter().all(|h| h.moments.len() == 1), "each has its moment");
            seen.extend(answer.hits.into_iter().map(|h| h.card.title));
            cursor = answer.next;
            if cursor.is_none() {
                break;
            }
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 40, "pages neither repeat nor leave out");
    }
    // A cursor is good for its own question.
    let answer = one.ask(&Question { words: "comun", limit: 7, ..Question::default() });
    let other = Question { words: "otra", cursor: answer.next.as_deref(), ..Question::default() };
    assert!(one.searcher.search(&other).unwrap_err().to_string().contains("belongs to another question"));
    for cursor in ["", "x", "7", "99999999-abc", "-1-abc"] {
        let question = Question { words: "comun", cursor: Some(cursor), ..Question::default() };
        assert_eq!(one.searcher.search(&question).unwrap_err().kind(), crate::error::Kind::Invalid, "{cursor}");
    }
}

#[test]
fn what_nobody_may_see_is_in_no_hit_count_facet_or_suggestion() {
    let of = |title: &str, collection: &str, embargo: Option<&str>| {
        let mut d = said(title, &["secreto del congreso"]);
        d.card.collection = Some(collection.to_owned());
        d.card.description = Description {
            people: vec![format!("Persona {collection}")],
            rights: Rights { embargo_until: embargo.map(str::to_owned), ..Rights::default() },
            ..Description::default()
        };
        d
    };
    let archive = index(
        &[
            of("a.mov", "Noticias", None),
            of("b.mov", "Privado", None),
            of("c.mov", "Noticias", Some("2030-01-01")),
            plain("d.mov"),
        ],
        2,
    );
    let now = crate::model::description::moment("2026-01-01").unwrap();
    let viewer = Access {
        collections: Some(vec!["Noticias".into()]),
        audience: Some(Audience { now, territory: None }),
        ..Access::all()
    };
    let facets = vec!["people".to_owned(), "collection".to_owned()];
    let question = Question { words: "secreto", access: viewer.clone(), facets: &facets, ..Question::default() };
    let answer = archive.ask(&question);
    assert_eq!((answer.total, answer.hits[0].card.title.as_str()), (1, "a.mov"));
    assert_eq!(answer.facets[0].values, [("Persona Noticias".to_owned(), 1)]);
    assert_eq!(answer.facets[1].values, [("Noticias".to_owned(), 1)]);
    let suggest = |access: &Access| {
        let all = archive.searcher.suggest("persona p", access, 10).unwrap();
        all.into_iter().map(|s| s.text).collect::<Vec<_>>()
    };
    assert_eq!(suggest(&viewer), Vec::<String>::new());
    assert_eq!(suggest(&Access::all()), ["Persona Privado"]);
    // The embargo ends by itself.
    let later = Access {
        audience: Some(Audience { now: crate::model::description::moment("2030-01-02").unwrap(), territory: None }),
        ..viewer
    };
    assert_eq!(archive.ask(&Question { words: "secreto", access: later, ..Question::default() }).total, 2);
    let editor = Access::all();
    assert_eq!(archive.ask(&Question { words: "secreto", access: editor, ..Question::default() }).total, 3);
    // Who may see nothing sees nothing.
    let nobody = Access { collections: Some(Vec::new()), ..Access::all() };
    assert_eq!(archive.ask(&Question { words: "", access: nobody, ..Question::default() }).total, 0);
}

#[test]
fn what_is_withheld_is_left_out_of_all_that_is_told_of_the_index() {
    let of = |title: &str, collection: &str| {
        let mut d = said(title, &["secreto del congreso", "nada"]);
        d.card.collection = Some(collection.to_owned());
        d.card.description.people = vec![format!("Persona {collection}")];
        d
    };
    let (a, b) = (of("a.mov", "Noticias"), of("b.mov", "Privado"));
    for (shards, withheld) in [
        (1, Withheld { assets: vec![b.card.asset], ..Withheld::default() }),
        (2, Withheld { assets: vec![b.card.asset, AssetId::derived(&["of no index"])], ..Withheld::default() }),
        (1, Withheld { collections: vec!["Privado".into(), "Ninguna".into()], ..Withheld::default() }),
    ] {
        let archive = index(&[a.clone(), b.clone(), plain("c.mov")], shards);
        let access = Access { withheld, ..Access::all() };
        let facets = ["people".to_owned()];
        for words in ["secreto", "\"secreto del\"", "secreto congreso kind:video", "secreto OR nada", "has:speech"] {
            for sort in [Sort::Relevance, Sort::Longest] {
                let asked = Question { words, sort, access: access.clone(), facets: &facets, ..Question::default() };
                let answer = archive.ask(&asked);
                assert_eq!((answer.total, answer.hits.len()), (1, 1), "{words}");
                assert_eq!(answer.hits[0].card.title, "a.mov", "{words}");
                assert_eq!(answer.facets[0].values, [("Persona Noticias".to_owned(), 1)], "{words}");
            }
        }
        let suggested = |typed: &str| archive.searcher.suggest(typed, &access, 10).unwrap();
        assert_eq!(suggested("privado"), [], "only what is withheld has it");
        assert_eq!(suggested("noticias")[0].text, "Noticias");
        let answer = archive.ask(&Question { words: "privadp", access: access.clone(), ..Question::default() });
        assert_eq!((answer.total, answer.corrections.len()), (0, 0));
    }
}

#[test]
fn counts_are_those_of_each_asset_that_is_found_however_many() {
    // Each value once in so many assets, and of some assets none or several.
    let of = |n: usize| {
        let words: Vec<&str> = [(1, "siempre"), (2, "par"), (3, "tercio"), (50, "raro")]
            .iter()
            .filter(|(every, _)| n.is_multiple_of(*every))
            .map(|(_, word)| *word)
            .collect();
        let mut d = said(&format!("{n:04}.mov"), &[&words.join(" ")]);
        d.card.description.people = (2..6).filter(|m| n % m == 1).map(|m| format!("P{m}")).collect();
        d
    };
    let all: Vec<Document> = (0..300).map(of).collect();
    let dir = tempfile::tempdir().unwrap();
    let id = beside(dir.path(), 1).unwrap();
    let writer = Writer::open(dir.path(), &id.id, 0, 1).unwrap();
    for chunk in all.chunks(130) {
        writer.replace(chunk, &[]).unwrap();
        writer.commit().unwrap();
    }
    // Two that are not there any more.
    writer.replace(&[], &[all[1].card.asset, all[121].card.asset]).unwrap();
    writer.commit().unwrap();
    switch(dir.path(), &id).unwrap();
    let searcher = Searcher::new(dir.path());
    let facets = ["people".to_owned()];
    for (words, every) in [("siempre", 1), ("par", 2), ("tercio", 3), ("raro", 50), ("siempre par", 2), ("nunca", 1000)]
    {
        let answer = searcher.search(&Question { words, facets: &facets, ..Question::default() }).unwrap();
        let found = |n: &usize| n.is_multiple_of(every) && (every < 1000) && ![1, 121].contains(n);
        let count = |m: usize| (0..300).filter(found).filter(|n| n % m == 1).count() as u64;
        let mut expected: Vec<(String, u64)> =
            (2..6).map(|m| (format!("P{m}"), count(m))).filter(|(_, n)| *n > 0).collect();
        expected.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        assert_eq!(answer.facets[0].values, expected, "{words}");
        assert_eq!(answer.facets[0].others, 0);
    }
}

#[test]
fn whoever_asks_alone_and_whoever_does_not_get_the_same() {
    let line = |n: usize| ["mar y monte", "el mar azul", "un monte alto", "mar y monte y mar"][n % 4];
    let all: Vec<Document> = (0..120).map(|n| said(&format!("clip {n:03}.mov"), &[line(n), line(n / 3)])).collect();
    let archive = index(&all, 2);
    let facets = ["kind".to_owned()];
    for words in ["mar", "mar monte", "\"mar y monte\"", "mar OR alto", "kind:video", "azul kind:video"] {
        let question = Question { words, facets: &facets, limit: 33, ..Question::default() };
        let alone = archive.ask(&question);
        let among_others = {
            let _another = archive.searcher.running.begin();
            archive.ask(&question)
        };
        assert!(!alone.hits.is_empty());
        assert_eq!(alone, among_others, "{words}");
        let phrase = Question { facets: &[], ..question };
        let alone = archive.ask(&phrase);
        let _another = archive.searcher.running.begin();
        assert_eq!(alone, archive.ask(&phrase), "{words}");
    }
}

#[test]
fn what_its_rights_do_not_let_see_is_found_by_editors_alone_and_by_its_rights() {
    let of = |title: &str, rights: &str| {
        let mut d = said(title, &["secreto del congreso"]);
        d.card.description.rights = serde_json::from_str(rights).unwrap();
        d.card.archived = title == "free.mov";
        d
    };
    let archive = index(
        &[
            of("free.mov", r#"{"license": "CC BY 4.0"}"#),
            of("ended.mov", r#"{"expires": "2025-12-31"}"#),
            of("lasts.mov", r#"{"expires": "2026-01-01", "consent": "given"}"#),
            of("refused.mov", r#"{"consent": "refused"}"#),
            of("spain.mov", r#"{"territories": ["ES", "pt"]}"#),
        ],
        1,
    );
    let now = crate::model::description::moment("2026-01-01T12:00:00Z").unwrap();
    let found = |words: &str, audience: Option<Audience>| {
        let access = Access { audience, ..Access::all() };
        let facets = ["territory".to_owned()];
        let answer = archive.ask(&Question { words, access, facets: &facets, ..Question::default() });
        let mut titles: Vec<String> = answer.hits.into_iter().map(|hit| hit.card.title).collect();
        titles.sort();
        assert_eq!(answer.total, titles.len());
        titles
    };
    let from = |territory: Option<&str>| Some(Audience { now, territory: territory.map(str::to_owned) });
    for words in ["secreto", "", "secreto kind:other OR secreto"] {
        assert_eq!(found(words, None).len(), 5, "{words}");
        assert_eq!(found(words, from(None)), ["free.mov", "lasts.mov", "spain.mov"], "{words}");
        assert_eq!(found(words, from(Some("fr"))), ["free.mov", "lasts.mov"], "{words}");
        assert_eq!(found(words, from(Some("PT"))), ["free.mov", "lasts.mov", "spain.mov"], "{words}");
    }
    assert_eq!(found("license:\"cc by 4.0\"", None), ["free.mov"]);
    assert_eq!(found("expires:<2026", None), ["ended.mov"]);
    assert_eq!(found("secreto expires:2026", None), ["lasts.mov"]);
    assert_eq!(found("consent:refused", None), ["refused.mov"]);
    assert_eq!(found("secreto territory:es", None).len(), 5);
    assert_eq!(found("secreto territory:=ES", None), ["spain.mov"]);
    assert_eq!(found("secreto -territory:fr", None), ["spain.mov"]);
    assert_eq!(found("archived:yes", None), ["free.mov"]);
}

#[test]
fn mistyped_words_are_taken_for_what_is_there_and_it_is_said() {
    let archive = index(&[said("a.mov", &["la inflación sube"]), plain("b.mov")], 1);
    let answer = archive.ask(&Question { words: "inflaciom sube", ..Question::default() });
    assert_eq!(answer.hits.len(), 1);
    assert_eq!(answer.corrections.get("inflaciom").unwrap(), &["inflacion"]);
    assert_eq!(answer.hits[0].moments[0].snippet, "la <b>inflación</b> <b>sube</b>");
    assert_eq!(archive.titles("inflaicon"), ["a.mov"], "two letters that changed places");
    // A year that is not there is not another year.
    assert_eq!(archive.titles("2024 inflacion"), ["a.mov"], "in its path");
    assert_eq!(archive.titles("2025"), Vec::<String>::new());
}

#[test]
fn synonyms_stand_for_each_other() {
    let archive = index(&[said("a.mov", &["un automóvil rojo"]), said("b.mov", &["la televisión"])], 1);
    let synonyms = Synonyms::parse("# coches\ncoche, carro, automóvil\ntele => televisión\n").unwrap();
    let searcher = Searcher::new(archive.dir.path()).with(synonyms);
    let titles = |words| {
        let answer = searcher.search(&Question { words, ..Question::default() }).unwrap();
        answer.hits.into_iter().map(|h| h.card.title).collect::<Vec<_>>()
    };
    assert_eq!(titles("coche"), ["a.mov"]);
    assert_eq!(titles("carro"), ["a.mov"]);
    assert_eq!(titles("tele"), ["b.mov"]);
}

#[test]
fn expressions_and_words_stand_for_each_other() {
    let archive = index(&[said("a.mov", &["los Estados Unidos hoy"]), said("b.mov", &["unidos, EEUU"])], 1);
    let synonyms = Synonyms::parse("Estados Unidos, EEUU, USA\ncaja tonta => EEUU\n").unwrap();
    let searcher = Searcher::new(archive.dir.path()).with(synonyms);
    let titles = |words, by| {
        let answer = searcher.search(&Question { words, by, ..Question::default() }).unwrap();
        let mut all: Vec<String> = answer.hits.into_iter().map(|h| h.card.title).collect();
        all.sort();
        all
    };
    for words in ["usa", "EEUU", "estados unidos", "said:estados said:unidos", "estados unidos -canadá"] {
        assert_eq!(titles(words, Match::All), ["a.mov", "b.mov"], "{words}");
    }
    assert_eq!(titles("estados unidos hoy", Match::All), ["a.mov"]);
    assert_eq!(titles("caja tonta", Match::All), ["b.mov"], "one way");
    assert_eq!(titles("usa hoy", Match::Any), ["a.mov", "b.mov"]);
    assert_eq!(titles("unidos estados", Match::All), ["a.mov"], "words in another order are words");
    for (file, why) in [
        ("uno\n, dos => \n", "line 2: words are missing"),
        ("uno, -", "line 1: '-' has no word"),
        ("a b c d e f g h i, uno", "line 1: 'a b c d e f g h i' has more than 8 words"),
    ] {
        assert_eq!(Synonyms::parse(file).unwrap_err().to_string(), why);
    }
}

#[test]
fn a_value_is_asked_for_as_it_is_written() {
    let of = |title: &str, collection: &str, person: &str| {
        let mut d = plain(title);
        d.card.collection = Some(collection.to_owned());
        d.card.description.people = vec![person.to_owned()];
        d
    };
    let archive = index(
        &[
            of("a.mov", "Noticias 24", "Ana"),
            of("b.mov", "Noticias", "Ana \"la Jefa\" Ruiz"),
            of("c.mov", "noticias", "Eva"),
        ],
        1,
    );
    assert_eq!(archive.sorted("collection:noticias"), ["b.mov", "c.mov"], "whatever its case");
    for (words, titles) in [
        ("collection:=Noticias", vec!["b.mov"]),
        ("collection:=\"Noticias 24\"", vec!["a.mov"]),
        ("people:=Ana", vec!["a.mov"]),
        (r#"person:="Ana \"la Jefa\" Ruiz""#, vec!["b.mov"]),
        ("collection:=Noticias -person:=Ana", vec!["b.mov"]),
        ("collection:=NOTICIAS", vec![]),
    ] {
        assert_eq!(archive.sorted(words), titles, "{words}");
    }
}

#[test]
fn who_speaks_is_found_with_what_they_say() {
    let mut a = said("a.mov", &["buenas noches", "la inflación sube", "adiós"]);
    for (moment, who) in a.moments.iter_mut().zip(["Ana Pérez", "Juan Gómez", "Ana Pérez"]) {
        moment.speaker = Some(who.to_owned());
    }
    let archive = index(&[a, said("b.mov", &["Ana Pérez no está"])], 1);
    let answer = archive.ask(&Question { words: "speaker:\"ana pérez\"", ..Question::default() });
    let [hit] = answer.hits.as_slice() else { panic!("{answer:?}") };
    assert_eq!(hit.moments.iter().map(|s| s.moment.from_ms).collect::<Vec<_>>(), [0, 8000]);
    assert_eq!(archive.titles("speaker:gomez said:inflacion"), ["a.mov"]);
    assert_eq!(archive.titles("speaker:nadie"), Vec::<String>::new());
    let best = archive.ask(&Question { words: "speaker:perez adiós", ..Question::default() });
    assert_eq!(best.hits[0].moments[0].moment.from_ms, 8000, "who says it and what is said, in one");
}

#[test]
fn what_is_written_is_found_at_once_and_files_cut_short_are_told() {
    let archive = index(&[said("a.mov", &["uno"])], 1);
    assert_eq!(archive.titles("uno"), ["a.mov"]);
    let id = current(archive.dir.path()).unwrap().unwrap();
    let writer = Writer::open(archive.dir.path(), &id.id, 0, 1).unwrap();
    writer.replace(&[said("b.mov", &["uno"])], &[]).unwrap();
    assert_eq!(archive.titles("uno").len(), 1, "before the commit");
    writer.commit().unwrap();
    assert_eq!(archive.titles("uno").len(), 2);
    drop(writer);
    let shard = archive.dir.path().join(&id.id).join("shard-0");
    for file in
        std::fs::read_dir(&shard).unwrap().flatten().filter(|f| f.path().extension().is_some_and(|e| e == "store"))
    {
        let cut = std::fs::OpenOptions::new().write(true).open(file.path()).unwrap();
        cut.set_len(file.metadata().unwrap().len() / 2).unwrap();
    }
    // Some questions may be asked before it is seen; none of these reads what is gone.
    let asked = (0..20).map(|_| archive.searcher.search(&Question { words: "nada", ..Question::default() }));
    let e = asked.into_iter().find_map(Result::err).expect("a file that was cut short is seen");
    assert!(e.hint_text().is_some_and(|hint| hint.contains("--rebuild")), "{e}: {:?}", e.hint_text());
    // And it goes on being told, by whoever opens it as well.
    assert!(archive.searcher.search(&Question::default()).is_err());
    assert!(Searcher::new(archive.dir.path()).search(&Question::default()).is_err());
}

#[test]
fn facts_narrow_and_sort_what_is_found() {
    let of = |title: &str, seconds: u64, date: &str, height: u32| {
        let mut d = plain(title);
        d.card.technical.duration_ms = Some(seconds * 1000);
        d.card.technical.size = Some((height * 16 / 9, height));
        d.card.technical.codec = Some(if height > 1000 { "prores" } else { "h264" }.to_owned());
        d.card.technical.hdr = height > 1080;
        d.card.recorded_at = crate::model::description::moment(date).ok();
        d
    };
    let all =
        [of("a.mov", 30, "2023-05-01", 720), of("b.mov", 90, "2024-11-30", 1080), of("c.mov", 600, "2024-12", 2160)];
    let archive = index(&[&all[..], &[plain("undated.mov")]].concat(), 1);
    for (words, titles) in [
        ("duration:>1m", vec!["b.mov", "c.mov"]),
        ("duration:0:30..1:30", vec!["a.mov", "b.mov"]),
        ("before:2024-12", vec!["a.mov", "b.mov"]),
        ("date:2024", vec!["b.mov", "c.mov"]),
        ("year:2023", vec!["a.mov"]),
        ("after:2023", vec!["b.mov", "c.mov"]),
        ("height:>=1080 codec:ProRes", vec!["b.mov", "c.mov"]),
        ("hdr:yes", vec!["c.mov"]),
        ("kind:video -codec:prores", vec!["a.mov", "undated.mov"]),
        ("has:speech", vec![]),
        ("mov duration:>1m kind:video", vec!["b.mov", "c.mov"]),
        ("mov codec:prores -title:c", vec!["b.mov"]),
        ("(mov OR nada) date:2024 height:<=1080", vec!["b.mov"]),
        ("mov hdr:no date:2023..2024", vec!["a.mov", "b.mov"]),
    ] {
        assert_eq!(archive.sorted(words), titles, "{words}");
    }
    let by = |sort| {
        let answer = archive.ask(&Question { words: "mov", sort, ..Question::default() });
        answer.hits.into_iter().map(|h| h.card.title).collect::<Vec<_>>()
    };
    assert_eq!(by(Sort::Newest), ["c.mov", "b.mov", "a.mov", "undated.mov"]);
    assert_eq!(by(Sort::Oldest), ["a.mov", "b.mov", "c.mov", "undated.mov"]);
    assert_eq!(by(Sort::Longest)[0], "c.mov");
    assert_eq!(by(Sort::Shortest)[0], "a.mov");
}

#[test]
fn suggestions_are_names_as_they_are_written_and_words() {
    let mut a = said("a.mov", &["los pensionistas"]);
    a.card.description.people = vec!["Juan Pérez".into()];
    a.card.description.places = vec!["Perú".into()];
    let archive = index(&[a], 1);
    let suggest = |typed: &str| {
        let all = archive.searcher.suggest(typed, &Access::all(), 10).unwrap();
        all.into_iter().map(|s| s.text).collect::<Vec<_>>()
    };
    let all = suggest("per");
    assert_eq!(&all[..2], ["Juan Pérez", "Perú"]);
    assert!(suggest("juan p").contains(&"Juan Pérez".to_owned()));
    assert!(suggest("pension").contains(&"pensionistas".to_owned()));
    assert_eq!(suggest(""), Vec::<String>::new());
    assert_eq!(suggest("~pension"), Vec::<String>::new());
}

#[test]
fn alike_is_what_shares_people_and_words_of_the_title() {
    let of = |title: &str, person: &str| {
        let mut d = plain(title);
        d.card.description.people = vec![person.to_owned()];
        d
    };
    let archive = index(
        &[of("debate uno.mov", "Ana"), of("plató.mov", "Ana"), of("debate dos.wav", "Luis"), of("z.jpg", "Eva")],
        1,
    );
    let like = archive.searcher.similar(AssetId::derived(&["debate uno.mov"]), &Access::all(), 10).unwrap();
    let mut titles: Vec<_> = like.into_iter().map(|h| h.card.title).collect();
    titles.sort();
    assert_eq!(titles, ["debate dos.wav", "plató.mov"]);
}

#[test]
fn an_index_that_cannot_be_used_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let why = |dir: &std::path::Path| Searcher::new(dir).search(&Question::default()).unwrap_err().to_string();
    assert_eq!(why(dir.path()), "there is no search index yet");
    std::fs::write(dir.path().join("current.json"), r#"{"id":"v1-x","version":1}"#).unwrap();
    assert!(why(dir.path()).contains("made by another version of damctl"));
    let archive = index(&[said("a.mov", &["uno"])], 1);
    let id = current(archive.dir.path()).unwrap().unwrap();
    let shard = archive.dir.path().join(&id.id).join("shard-0");
    for file in std::fs::read_dir(&shard).unwrap().flatten() {
        if file.path().extension().is_some_and(|e| e == "store" || e == "idx" || e == "term") {
            std::fs::write(file.path(), b"damaged").unwrap();
        }
    }
    let e = Searcher::new(archive.dir.path()).search(&Question { words: "uno", ..Question::default() }).unwrap_err();
    assert!(e.hint_text().is_some_and(|hint| hint.contains("--rebuild")), "{e}: {:?}", e.hint_text());
}
