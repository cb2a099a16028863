//! What is left out because it cannot be among the best.

use super::{
    super::{ask, breadth::Breadth, build::Builder, top, words::Morphology},
    *,
};

/// Words that have no stems, in short texts and (many times in one) in long ones; and moments beside them, so that an asset is
/// many times as long as what the index has on the average.
fn of(n: usize, dice: &mut Dice) -> Document {
    let word = |dice: &mut Dice| {
        let most = 1 + dice.next(9);
        match dice.next(3) {
            0 => format!("x{}", dice.next(5000)),
            _ => format!("w{}", dice.next(most)),
        }
    };
    let mut text: Vec<String> = (0..2 + dice.next(20)).map(|_| word(dice)).collect();
    if dice.next(8) == 0 {
        text.extend((0..200 + dice.next(400)).map(|_| format!("x{}", dice.next(5000))));
        for _ in 0..3 {
            let often = word(dice);
            text.extend(std::iter::repeat_n(often, 10 + dice.next(90)));
        }
    }
    let moments: Vec<String> = (0..8).map(|_| word(dice)).collect();
    let mut d = said(&format!("t{n:05} w{}", dice.next(9)), &moments.iter().map(String::as_str).collect::<Vec<_>>());
    d.card.description.text = Some(text.join(" "));
    d
}

#[test]
fn the_first_hits_are_those_of_all_that_are_found_whatever_is_left_out_on_the_way() {
    let mut dice = Dice(11);
    let pieces: Vec<Vec<Document>> =
        [1500, 900, 300].into_iter().map(|count| (0..count).map(|n| of(n + count * 10, &mut dice)).collect()).collect();
    let archive = in_pieces(&pieces);
    let searcher = &archive.searcher;
    let (view, morphology) = (searcher.view().unwrap(), Morphology::default());
    for words in [
        "w0",
        "w3",
        "w8",
        "w0 w1",
        "w8 w2 w0",
        "w0 OR w1",
        "w8 OR w1",
        "w0 OR w5 OR w8",
        "w1 OR title:w2",
        "title:w3",
        "title:w3 title:t1*",
        "description:w0",
        "description:w8 description:w1",
        "w0 -w1",
        "(w0 OR w7) w2",
        "said:w0",
        "path:w2 OR w7",
    ] {
        let question = Question { words, ..Question::default() };
        let asked = ask::parse(words, Match::All).unwrap();
        let fields = (searcher.fields, view.assets.clone());
        let builder = Builder::new(&view.shards, fields, &searcher.synonyms, &morphology, Vec::new());
        let built = builder.build(asked.as_ref()).unwrap();
        let best = |most: usize| {
            let how = ((&*built.assets, searcher.fields.what), (&question, [].as_slice()), (most, Breadth::OneByOne));
            top::best(&view, how.0, how.1, how.2).unwrap()
        };
        // With room for all of them there is none that is not good enough.
        let all = best(1_000_000);
        assert!(all.len() > 20, "{words}: {}", all.len());
        for most in [1, 20] {
            let (found, expected) = (best(most), &all[..most]);
            for ((score, at), (full, place)) in found.iter().zip(expected) {
                // Sums in another order differ in their last digits; of those that do, either may come first.
                assert!((score - full).abs() <= full.abs() * 1e-5, "{words}: {at:?} has {score}, {place:?} {full}");
            }
            assert_eq!(found.len(), most, "{words}");
        }
    }
}
