//! What may not be seen, where there is much of it.

use super::*;

fn viewer(withheld: Withheld) -> Access {
    let now = crate::model::description::moment("2026-01-01").unwrap();
    Access { audience: Some(Audience { now, territory: None }), withheld, ..Access::all() }
}

#[test]
fn a_phrase_is_found_behind_more_hidden_assets_than_are_looked_at_for_one() {
    const HIDDEN: usize = 10_050;
    let of = |n: usize| {
        let mut d = plain(&format!("clip {n:05} mar azul"));
        if n < HIDDEN {
            d.card.description.rights.embargo_until = Some("2030-01-01".to_owned());
        }
        d
    };
    let archive = in_pieces(&[(0..HIDDEN + 30).map(of).collect()]);
    let question = Question { words: "\"mar azul\"", ..Question::default() };
    assert!(archive.ask(&question).more, "editors find more than are counted");
    let answer = archive.ask(&Question { access: viewer(Withheld::default()), ..question });
    assert_eq!((answer.total, answer.hits.len()), (30, 20));
}

#[test]
fn hundreds_of_assets_are_withheld_as_few_are_and_others_for_who_asks_next() {
    let all: Vec<Document> = (0..500).map(|n| said(&format!("{n:03}.mov"), &["secreto del congreso"])).collect();
    let archive = in_pieces(&[all[..300].to_vec(), all[300..].to_vec()]);
    let first = |count: usize| all.iter().take(count).map(|d| d.card.asset).collect::<Vec<_>>();
    for count in [420, 420, 3, 0, 420] {
        for words in ["secreto", "\"secreto del\"", ""] {
            let access = viewer(Withheld { assets: first(count), ..Withheld::default() });
            let question = Question { words, access, facets: &["kind".to_owned()], ..Question::default() };
            let answer = archive.ask(&question);
            assert_eq!(answer.total, 500 - count, "{words}");
            assert_eq!(answer.facets[0].values, [("video".to_owned(), 500 - count as u64)], "{words}");
        }
    }
}
