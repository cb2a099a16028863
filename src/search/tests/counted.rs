//! Numbers of values.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

#[test]
fn numbers_are_those_of_all_pieces_where_a_piece_has_more_values_than_are_spelled_out() {
    // Names that are frequent in one piece and seldom in the others.
    const NAMES: usize = 1500;
    let mut dice = Dice(3);
    let mut of = |n: usize, piece: usize| {
        let words = if n.is_multiple_of(20) { "siempre raro" } else { "siempre" };
        let mut d = said(&format!("{piece} {n:04}.mov"), &[words]);
        let mut name = || {
            let most = 1 + dice.next(NAMES);
            format!("P{:04}", (dice.next(most) + piece * NAMES / 3) % NAMES)
        };
        d.card.description.people = (0..40).map(|_| name()).collect::<BTreeSet<_>>().into_iter().collect();
        d
    };
    let pieces: Vec<Vec<Document>> = (0..3).map(|piece| (0..320).map(|n| of(n, piece)).collect()).collect();
    let archive = in_pieces(&pieces);
    let facets = ["people".to_owned()];
    for (words, every) in [("siempre", 1), ("raro", 20), ("siempre", 1)] {
        let answer = archive.ask(&Question { words, facets: &facets, ..Question::default() });
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        let found = pieces.iter().flat_map(|piece| piece.iter().step_by(every));
        for name in found.flat_map(|d| &d.card.description.people) {
            *counts.entry(name).or_default() += 1;
        }
        let Facet { values, others, .. } = &answer.facets[0];
        assert_eq!(values.len(), 50);
        for (name, n) in values {
            assert_eq!(counts[name.as_str()], *n, "{words}: {name}");
            let asked = format!("{words} person:=\"{name}\"");
            assert_eq!(archive.ask(&Question { words: &asked, ..Question::default() }).total as u64, *n, "{asked}");
        }
        let shown: u64 = values.iter().map(|(_, n)| n).sum();
        assert_eq!(shown + others, counts.values().sum::<u64>(), "{words}");
        if every == 1 {
            let is_more = |(name, n): &(&&str, &u64)| **n > values[49].1 && !values.iter().any(|(v, _)| v == **name);
            assert_eq!(counts.iter().find(is_more), None, "it is more frequent than one that is shown");
        }
    }
}
