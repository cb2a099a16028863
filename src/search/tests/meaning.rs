//! What is found by what it means.

use super::*;
use crate::error::Kind;
use crate::{digest::Digest, model::Vector};

/// What a document means: one direction for the whole and one for each moment.
fn meaning(mut document: Document, recipe: &str, whole: [f32; 3], moments: &[[f32; 3]]) -> Document {
    let passage = |moments, numbers: &[f32; 3]| Passage { moments, vector: Vector::of(numbers).unwrap() };
    let mut passages = vec![passage(0..0, &whole)];
    passages.extend((0..).zip(moments).map(|(n, numbers)| passage(n..n + 1, numbers)));
    let words = Digest::of_fields(&[format!("{:?}", document.moments)]);
    document.meaning = Some(Meaning { recipe: Digest::of(recipe), words, passages });
    document
}

fn meant(numbers: [f32; 3]) -> Meant {
    Meant { recipe: Digest::of("e5"), vector: Vector::of(&numbers).unwrap() }
}

#[test]
fn what_means_the_same_is_found_without_its_words_and_nothing_that_may_not_be_seen() {
    let mut secret = meaning(said("secret.mov", &["prices rose"]), "e5", [1.0, 0.0, 0.0], &[[1.0, 0.0, 0.0]]);
    secret.card.collection = Some("Secreto".to_owned());
    let mut refused = meaning(plain("refused.mov"), "e5", [1.0, 0.1, 0.0], &[]);
    refused.card.description.rights = serde_json::from_str(r#"{"consent": "refused"}"#).unwrap();
    let mut open = meaning(
        said("open.mov", &["good evening", "food costs more", "and now sports"]),
        "e5",
        [0.0, 0.0, 1.0],
        &[[0.0, 1.0, 0.0], [0.9, 0.3, 0.0], [0.0, 0.0, 1.0]],
    );
    open.card.collection = Some("Noticias".to_owned());
    let mut audio = meaning(plain("radio.wav"), "e5", [0.5, 0.5, 0.0], &[]);
    audio.card.kind = MediaKind::Audio;
    audio.card.collection = Some("Noticias".to_owned());
    let other = meaning(plain("other.mov"), "another model", [1.0, 0.0, 0.0], &[]);
    let words = said("words.mov", &["la subida de los precios"]);
    for shards in [1, 3] {
        let archive = index(&[&secret, &refused, &open, &audio, &other, &words].map(Clone::clone), shards);
        let meant = meant([1.0, 0.0, 0.0]);
        let facets = ["collection".to_owned(), "kind".to_owned()];
        let ask = |words: &str, access: Access| {
            let answer =
                archive.ask(&Question { words, access, facets: &facets, meaning: Some(&meant), ..Question::default() });
            let titles: Vec<String> = answer.hits.iter().map(|hit| hit.card.title.clone()).collect();
            assert_eq!(answer.total, titles.len(), "{words}");
            (titles, answer)
        };
        let (all, answer) = ask("subida precios", Access::all());
        assert_eq!(all.len(), 5, "no vector of another model is compared: {all:?}");
        assert!(all[..2].contains(&"words.mov".to_owned()) && all[..2].contains(&"secret.mov".to_owned()), "{all:?}");
        assert_eq!(all.last().unwrap(), "radio.wav");
        let hit = answer.hits.iter().find(|hit| hit.card.title == "open.mov").unwrap();
        assert!(hit.likeness > Some(0.9) && hit.moments[0].by == By::Meaning, "{hit:?}");
        assert_eq!(hit.moments[0].moment.text, "food costs more");
        let hit = answer.hits.iter().find(|hit| hit.card.title == "words.mov").unwrap();
        assert_eq!((hit.likeness, hit.moments[0].by), (None, By::Words));
        // Collections, rights, kinds and fields narrow hits and counts alike.
        let of = |collection: &str| Access { collections: Some(vec![collection.to_owned()]), ..Access::all() };
        let (news, answer) = ask("subida precios", of("Noticias"));
        assert_eq!(news, ["open.mov", "radio.wav"]);
        assert_eq!(answer.facets[0].values, [("Noticias".to_owned(), 2)]);
        assert!(ask("subida precios", of("Ninguna")).0.is_empty());
        let viewer = Access { audience: Some(Audience { now: 1, territory: None }), ..Access::all() };
        assert!(!ask("subida precios", viewer).0.contains(&"refused.mov".to_owned()));
        assert_eq!(ask("subida precios kind:audio", Access::all()).0, ["radio.wav"]);
        assert_eq!(ask("subida precios has:speech -sports", Access::all()).0, ["words.mov", "secret.mov"]);
        // What makes no sense, or cannot be compared, is told.
        let refused = |question: Question<'_>| archive.searcher.search(&question).unwrap_err().to_string();
        let by = |words| Question { words, meaning: Some(&meant), ..Question::default() };
        assert!(refused(Question { sort: Sort::Newest, ..by("precios") }).contains("no order but relevance"));
        let unknown = Meant { recipe: Digest::of("new"), ..meant.clone() };
        assert!(
            refused(Question { meaning: Some(&unknown), ..by("precios") }).contains("has nothing of what texts mean")
        );
    }
}

#[test]
fn the_vectors_of_what_was_replaced_or_removed_are_gone_with_it() {
    let one = meaning(said("one.mov", &["a", "b"]), "e5", [1.0, 0.0, 0.0], &[[1.0, 0.0, 0.0], [1.0, 0.2, 0.0]]);
    let two = meaning(said("two.mov", &["c"]), "e5", [0.8, 0.2, 0.0], &[[0.7, 0.7, 0.0]]);
    let archive = index(&[one.clone(), two.clone()], 1);
    let meant = meant([1.0, 0.0, 0.0]);
    let near = || {
        let answer = archive.ask(&Question { words: "x", meaning: Some(&meant), ..Question::default() });
        answer.hits.into_iter().map(|hit| (hit.card.title, hit.likeness.unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(near().iter().map(|(title, _)| title.as_str()).collect::<Vec<_>>(), ["one.mov", "two.mov"]);
    assert_eq!(archive.searcher.passages().unwrap(), (5, 0));
    let id = current(archive.dir.path()).unwrap().unwrap();
    let writer = Writer::open(archive.dir.path(), &id.id, 0, 1).unwrap();
    // Its words are others now, and nobody knows yet what they mean.
    let changed = Document { meaning: None, ..said("one.mov", &["something else"]) };
    assert_ne!(changed.digest(), one.digest());
    writer.replace(std::slice::from_ref(&changed), &[]).unwrap();
    assert_eq!(near().len(), 2, "nothing is seen before the commit");
    writer.commit().unwrap();
    assert_eq!(near().iter().map(|(title, _)| title.as_str()).collect::<Vec<_>>(), ["two.mov"]);
    assert_eq!(archive.searcher.passages().unwrap(), (2, 3));
    // It means something else; and the other one is removed.
    let again = meaning(changed.clone(), "e5", [0.0, 0.0, 1.0], &[[0.6, 0.8, 0.0]]);
    assert_ne!(again.digest(), changed.digest());
    writer.replace(&[again], &[two.card.asset]).unwrap();
    writer.commit().unwrap();
    let found = near();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].0 == "one.mov" && (found[0].1 - 0.6).abs() < 0.01, "{found:?}");
    assert_eq!(archive.searcher.passages().unwrap(), (2, 5));
    assert_eq!(archive.searcher.damaged().unwrap(), Vec::<std::path::PathBuf>::new());
    // Wrong bytes are told, and a file that was cut short is not read behind its end.
    let file = folder::shard_path(archive.dir.path(), &id.id, 0).join("vectors/1.vec");
    let mut bytes = std::fs::read(&file).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let searcher = Searcher::new(archive.dir.path());
    assert_eq!(searcher.damaged().unwrap(), std::slice::from_ref(&file));
    // It is the record before the last that is wrong: what it was of is not led to, and the others are.
    let answer = searcher.search(&Question { words: "x", meaning: Some(&meant), ..Question::default() }).unwrap();
    assert!(answer.notices[0].contains("--rebuild"), "{:?}", answer.notices);
    assert_eq!(answer.hits.iter().map(|hit| hit.moments.len()).collect::<Vec<_>>(), [1]);
    std::fs::write(&file, &bytes[..150]).unwrap();
    let cut = Searcher::new(archive.dir.path());
    let e = cut.search(&Question { words: "x", meaning: Some(&meant), ..Question::default() }).unwrap_err();
    assert!(e.kind() == Kind::Corrupt && e.hint_text().unwrap().contains("--rebuild"), "{e}");
    // One that is gone is found out nowhere but in the index.
    std::fs::remove_file(&file).unwrap();
    let gone = Searcher::new(archive.dir.path());
    let e = gone.search(&Question { words: "x", meaning: Some(&meant), ..Question::default() }).unwrap_err();
    assert!(e.kind() == Kind::Corrupt && e.hint_text().unwrap().contains("--rebuild"), "{e}");
    assert!(!gone.has_meaning().unwrap() && archive.searcher.index().is_ok());
}

#[test]
fn pages_of_words_and_meaning_show_each_hit_once() {
    let title = |n: usize| format!("clip {n:03}.mov");
    let all: Vec<Document> = (0..260)
        .map(|n| {
            let said = said(&title(n), &[if n % 2 == 0 { "hablan del mar" } else { "hablan del monte" }]);
            let turn = n as f32 / 260.0;
            meaning(said, "e5", [turn, 1.0 - turn, 0.0], &[[turn, 1.0, 0.0]])
        })
        .collect();
    let archive = index(&all, 2);
    let meant = meant([1.0, 0.0, 0.0]);
    let page = |cursor: Option<&str>, limit| {
        archive.ask(&Question { words: "mar", meaning: Some(&meant), cursor, limit, ..Question::default() })
    };
    let titles = |answer: &Answer| answer.hits.iter().map(|hit| hit.card.title.clone()).collect::<Vec<_>>();
    let (mut seen, mut near, mut next) = (Vec::new(), 0, None::<String>);
    loop {
        let answer = page(next.as_deref(), 7);
        seen.extend(titles(&answer));
        near += answer.hits.iter().filter(|hit| hit.likeness.is_some()).count();
        next = answer.next.clone();
        if next.is_none() {
            assert_eq!((answer.total, answer.more), (seen.len(), false));
            break;
        }
    }
    assert_eq!(seen[..100], titles(&page(None, 100)));
    let once: std::collections::BTreeSet<&String> = seen.iter().collect();
    assert_eq!(once.len(), seen.len());
    // The 200 that are nearest, and all that have the word.
    assert_eq!(near, 200);
    assert!((0..260).step_by(2).all(|n| seen.contains(&title(n))), "{seen:?}");
    // Its place is good for no other question.
    let first = page(None, 5);
    let plain = Question { words: "mar", cursor: first.next.as_deref(), ..Question::default() };
    assert!(archive.searcher.search(&plain).is_err());
}
