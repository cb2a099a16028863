//! How long it takes to compare a question with every passage of an index, on vectors of no meaning.
//!
//! ```text
//! cargo bench --bench meaning -- [--passages 1000000] [--questions 50]
//! ```

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it is a program that prints what it measures")]

use std::time::{Duration, Instant};

use damctl::{
    digest::Digest,
    model::{AssetId, MediaKind, Vector},
    search::{self, Card, Document, Meaning, Meant, Passage, Question, Searcher, Writer},
};

/// Passages of an asset, and numbers of a vector: those of multilingual-e5-small.
const PASSAGES: usize = 10;
const NUMBERS: usize = 384;
/// Assets that are made and written at a time.
const CHUNK: usize = 10_000;

/// Numbers that every run has the same of.
struct Dice(u64);

impl Dice {
    fn vector(&mut self) -> Vector {
        let mut next = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        Vector::of(&(0..NUMBERS).map(|_| next()).collect::<Vec<f32>>()).unwrap()
    }
}

fn document(n: usize, recipe: Digest, dice: &mut Dice) -> Document {
    let asset = AssetId::derived(&["bench", &n.to_string()]);
    let collection = Some(format!("Collection {}", n % 10));
    let passages = (0..PASSAGES).map(|_| Passage { moments: 0..0, vector: dice.vector() }).collect();
    Document {
        card: Card { collection, ..Card::bare(asset, MediaKind::Video, format!("clip {n}")) },
        moments: Vec::new(),
        meaning: Some(Meaning { recipe, words: Digest::of(n.to_string()), passages }),
    }
}

fn main() {
    let given: Vec<String> = std::env::args().collect();
    let number = |flag: &str, usual: usize| {
        let at = given.iter().position(|arg| arg == flag);
        at.map_or(usual, |at| given[at + 1].parse().unwrap())
    };
    let (passages, questions) = (number("--passages", 1_000_000), number("--questions", 50));
    let dir = tempfile::tempdir().unwrap();
    let index = search::beside(dir.path(), 1).unwrap();
    let writer = Writer::open(dir.path(), &index.id, 0, 2).unwrap();
    let (recipe, mut dice) = (Digest::of("bench"), Dice(7));
    let (assets, mut written) = (passages / PASSAGES, Duration::ZERO);
    for first in (0..assets).step_by(CHUNK) {
        let range = first..(first + CHUNK).min(assets);
        let documents: Vec<Document> = range.map(|n| document(n, recipe, &mut dice)).collect();
        let begin = Instant::now();
        writer.replace(&documents, &[]).unwrap();
        writer.commit().unwrap();
        written += begin.elapsed();
    }
    writer.settle().unwrap();
    search::switch(dir.path(), &index).unwrap();
    println!("{passages} passages of {assets} assets, written in {:.1} s", written.as_secs_f64());
    let searcher = Searcher::new(dir.path());
    // Who may see one collection of ten, and who may see all.
    for (who, words) in [("all", "nothing"), ("one collection of ten", "nothing collection:\"Collection 3\"")] {
        let mut times: Vec<Duration> = Vec::new();
        for n in 0..=questions {
            let meant = Meant { recipe, vector: dice.vector() };
            let begin = Instant::now();
            let question = Question { words, meaning: Some(&meant), limit: 20, ..Question::default() };
            let answer = searcher.search(&question).unwrap();
            assert_eq!(answer.hits.len(), 20);
            // The first one opens the index.
            times.extend((n > 0).then(|| begin.elapsed()));
        }
        times.sort_unstable();
        let median = times[times.len() / 2].as_secs_f64() * 1000.0;
        let last = times[times.len() * 99 / 100].as_secs_f64() * 1000.0;
        let each = median * 100_000.0 / passages as f64;
        println!(
            "{who}: median {median:.1} ms, 99 of 100 {last:.1} ms; {each:.2} ms for 100,000 passages of the index"
        );
    }
}
