//! spaCy's entity recognizer: words as vectors of their surroundings (`Tok2Vec.v2`), and a parser of transitions over them
//! (`TransitionBasedParser.v2`), both as a pipeline's folder has them.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rmpv::Value;

use super::{
    Name, features,
    network::{Dense, Maxout},
    pack::{self, Array},
    tokenizer::{Token, Tokenizer},
};
use crate::{
    error::{Error, Result},
    model::FindingKind,
};

/// What a word's vector is made of, in this order.
const COLUMNS: [&str; 4] = ["NORM", "PREFIX", "SUFFIX", "SHAPE"];
/// Letters of a suffix.
const SUFFIX: usize = 3;
/// Tokens that the parser looks at: the next one, the first of the open name, the last one.
const SLOTS: usize = 3;
/// Most of what is multiplied out of a network's sizes.
const WIDEST: usize = 4096;
/// Words whose vectors are remembered: 20,000 take 10 MB.
const REMEMBERED: usize = 20_000;
/// Longest of them, in bytes.
const LONGEST: usize = 64;

/// A token of a word, and what the network's first layer makes of it, which depends on nothing else.
#[derive(Debug)]
struct Piece {
    from: usize,
    to: usize,
    vector: Box<[f32]>,
}

/// A table of rows that are chosen by hash.
struct Embedding {
    rows: Vec<f32>,
    width: usize,
    seed: u32,
}

/// What the parser does with the next token.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Action {
    Missing,
    Begin,
    In,
    Last,
    Unit,
    Out,
}

impl Action {
    /// In the order of spaCy's numbers.
    const ALL: [Action; 6] = [Action::Missing, Action::Begin, Action::In, Action::Last, Action::Unit, Action::Out];
}

#[derive(Debug)]
struct Move {
    action: Action,
    label: String,
}

/// A loaded recognizer.
pub(super) struct Pipeline {
    tokenizer: Tokenizer,
    norms: HashMap<u64, String>,
    embeddings: Vec<Embedding>,
    mix: Maxout,
    windows: Vec<Maxout>,
    project: Dense,
    /// For each slot what a token adds to the parser's hidden layer.
    lower: Dense,
    lower_bias: Vec<f32>,
    /// The same where there is no token.
    lower_pad: Vec<f32>,
    pieces: usize,
    upper: Dense,
    moves: Vec<Move>,
    remembered: Mutex<HashMap<Box<str>, Arc<[Piece]>>>,
}

/// The layers of a file, by their kinds and in their order.
#[derive(Default)]
struct Layers {
    embeddings: Vec<Embedding>,
    maxouts: Vec<(Array, Array)>,
    norms: Vec<(Array, Array)>,
    linears: Vec<(Array, Array)>,
    lower: Option<(Array, Array, Array)>,
}

impl Layers {
    fn read(model: &Value) -> Option<Self> {
        let list = |name| pack::field(model, name).and_then(Value::as_array);
        let (nodes, attributes, parameters) = (list("nodes")?, list("attrs")?, list("params")?);
        let mut all = Self::default();
        for ((node, attributes), parameters) in nodes.iter().zip(attributes).zip(parameters) {
            let array = |name| pack::field(parameters, name).and_then(pack::array);
            // Settings are msgpack inside of msgpack.
            let setting = |name| {
                let bytes = pack::field(attributes, name)?.as_slice()?;
                rmpv::decode::read_value_with_max_depth(&mut &bytes[..], 16).ok()
            };
            match pack::field(node, "name").and_then(pack::text)? {
                "extract_features" => {
                    let columns = setting("columns")?;
                    let columns = columns.as_array()?.iter().map(pack::text);
                    if !columns.eq(COLUMNS.map(Some)) {
                        return None;
                    }
                }
                "expand_window" if setting("window_size")?.as_u64() != Some(1) => return None,
                "hashembed" => {
                    let rows = array("E")?;
                    let [_, width] = rows.shape[..] else { return None };
                    let seed = u32::try_from(setting("seed")?.as_u64()?).ok()?;
                    all.embeddings.push(Embedding { rows: rows.data, width, seed });
                }
                "maxout" => all.maxouts.push((array("W")?, array("b")?)),
                "layernorm" => all.norms.push((array("G")?, array("b")?)),
                "linear" => all.linears.push((array("W")?, array("b")?)),
                "precomputable_affine" => all.lower = Some((array("W")?, array("b")?, array("pad")?)),
                _ => {}
            }
        }
        Some(all)
    }
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A million weights tell nobody anything.
        f.debug_struct("Pipeline").field("moves", &self.moves.len()).finish_non_exhaustive()
    }
}

impl Pipeline {
    pub(super) fn load(dir: &Path) -> Result<Self> {
        let tokenizer = Tokenizer::load(&dir.join("tokenizer"))?;
        let norms = norms(&dir.join("vocab/lookups.bin"))?;
        let moves = moves(&dir.join("ner/moves"))?;
        let path = dir.join("ner/model");
        let layers = Layers::read(&pack::read(&path)?);
        let foreign = || {
            let expected = "expected are Tok2Vec.v2 over NORM, PREFIX, SUFFIX and SHAPE, a window of 1, and \
                            TransitionBasedParser.v2, as spaCy's small pipelines have them";
            pack::damaged(&path, "its network is none that is known").hint(expected)
        };
        let built = layers.and_then(|layers| Self::assemble(layers, tokenizer, norms, moves));
        built.ok_or_else(foreign)
    }

    /// None where the layers are not of this network or their sizes do not fit together.
    fn assemble(layers: Layers, tokenizer: Tokenizer, norms: HashMap<u64, String>, moves: Vec<Move>) -> Option<Self> {
        let (lower, lower_bias, lower_pad) = layers.lower?;
        let [slots, hidden, pieces, width] = lower.shape[..] else { return None };
        let is_sane = slots == SLOTS && [hidden, pieces, width].iter().all(|n| *n <= WIDEST);
        if !is_sane || lower_bias.data.len() != hidden * pieces || lower_pad.data.len() != slots * hidden * pieces {
            return None;
        }
        let mut linears = layers.linears.into_iter().map(|(matrix, bias)| Dense::new(&matrix, Some(&bias)));
        // The parser's own layer comes first, for it is the outer one.
        let (upper, project) = (linears.next()??, linears.next()??);
        if linears.next().is_some() || layers.maxouts.len() != layers.norms.len() {
            return None;
        }
        let each = layers.maxouts.into_iter().zip(layers.norms);
        let mut maxouts = each.map(|((w, b), (gain, shift))| Maxout::new(&w, &b, gain, shift));
        let mix = maxouts.next()??;
        let windows = maxouts.collect::<Option<Vec<_>>>()?;
        let inner = mix.outputs();
        let fits = layers.embeddings.len() == COLUMNS.len()
            && inner <= WIDEST
            && layers.embeddings.iter().map(|e| e.width).sum::<usize>() == mix.inputs()
            && windows.iter().all(|w| w.inputs() == 3 * inner && w.outputs() == inner)
            && (project.inputs, project.outputs) == (inner, width)
            && (upper.inputs, upper.outputs) == (hidden, moves.len());
        fits.then_some(())?;
        Some(Self {
            tokenizer,
            norms,
            embeddings: layers.embeddings,
            mix,
            windows,
            project,
            lower: Dense::new(&lower, None)?,
            lower_bias: lower_bias.data,
            lower_pad: lower_pad.data,
            pieces,
            upper,
            moves,
            remembered: Mutex::default(),
        })
    }

    /// The names of a text that is read as one, by place.
    pub(super) fn names(&self, text: &str) -> Vec<Name> {
        let words: Vec<(usize, Arc<[Piece]>)> =
            words(text).into_iter().map(|(from, to)| (from, self.pieces_of(&text[from..to]))).collect();
        let tokens: Vec<(usize, &Piece)> = words.iter().flat_map(|(at, all)| all.iter().map(|p| (*at, p))).collect();
        if tokens.is_empty() {
            return Vec::new();
        }
        let vectors = self.vectors(&tokens);
        self.parse(text, &tokens, &vectors)
    }

    fn pieces_of(&self, word: &str) -> Arc<[Piece]> {
        let lock = || self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pieces) = lock().get(word) {
            return pieces.clone();
        }
        let tokens = match word.starts_with(char::is_whitespace) {
            true => vec![Token { from: 0, to: word.len(), norm: None }],
            false => self.tokenizer.cut(word),
        };
        let piece =
            |t: &Token<'_>| Piece { from: t.from, to: t.to, vector: self.embedded(&word[t.from..t.to], t.norm) };
        let pieces: Arc<[Piece]> = tokens.iter().map(piece).collect();
        if word.len() > LONGEST {
            return pieces;
        }
        let mut remembered = lock();
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(word.into(), pieces.clone());
        pieces
    }

    /// What a token is by itself.
    fn embedded(&self, token: &str, norm: Option<&str>) -> Box<[f32]> {
        let norm = norm.or_else(|| features::norm(token)).or_else(|| {
            let listed = self.norms.get(&features::number(token));
            listed.map(String::as_str)
        });
        let norm = norm.map_or_else(|| token.to_lowercase(), str::to_owned);
        let prefix = token.chars().next().map_or(0, char::len_utf8);
        let suffix = token.char_indices().rev().nth(SUFFIX - 1).map_or(0, |(at, _)| at);
        let shape = features::shape(token);
        let mut x = Vec::with_capacity(self.mix.inputs());
        for (feature, table) in [&norm, &token[..prefix], &token[suffix..], &shape].into_iter().zip(&self.embeddings) {
            let from = x.len();
            x.resize(from + table.width, 0.0);
            for hash in features::row_hashes(features::number(feature), table.seed) {
                let row = hash as usize % (table.rows.len() / table.width) * table.width;
                x[from..].iter_mut().zip(&table.rows[row..]).for_each(|(sum, v)| *sum += v);
            }
        }
        self.mix.run(&x, x.len(), 1).into()
    }

    /// What each token is where it stands.
    fn vectors(&self, tokens: &[(usize, &Piece)]) -> Vec<f32> {
        let width = self.mix.outputs();
        // Each layer sees one token more to a side; the text stands between as many rows of zeros, and these between two
        // more that stay zero.
        let pad = self.windows.len();
        let count = tokens.len() + 2 * pad;
        let mut x = vec![0.0; (count + 2) * width];
        for (row, (_, piece)) in x[(pad + 1) * width..].chunks_exact_mut(width).zip(tokens) {
            row.copy_from_slice(&piece.vector);
        }
        for layer in &self.windows {
            // A row, the one before and the one behind lie side by side.
            let seen = layer.run(&x, width, count);
            x[width..].iter_mut().zip(&seen).for_each(|(x, seen)| *x += seen);
        }
        self.project.run(&x[(pad + 1) * width..], width, tokens.len())
    }

    fn parse(&self, text: &str, tokens: &[(usize, &Piece)], vectors: &[f32]) -> Vec<Name> {
        let (width, one) = (self.lower.inputs, self.lower_bias.len());
        let seen = self.lower.run(vectors, width, tokens.len());
        let place = |i: usize| (tokens[i].0 + tokens[i].1.from, tokens[i].0 + tokens[i].1.to);
        let mut names = Vec::new();
        // The first token of the name that has begun, its label, and how sure its steps were.
        let mut open: Option<(usize, &str, f32)> = None;
        for i in 0..tokens.len() {
            let (from, to) = place(i);
            let is_last = i + 1 == tokens.len();
            let is_space = text[from..to].starts_with(char::is_whitespace);
            let slots = [Some(i), open.map(|o| o.0), open.map(|_| i - 1)];
            let mut hidden = self.lower_bias.clone();
            for (slot, token) in slots.iter().enumerate() {
                let adds = match token {
                    Some(token) => &seen[token * self.lower.outputs + slot * one..][..one],
                    None => &self.lower_pad[slot * one..][..one],
                };
                hidden.iter_mut().zip(adds).for_each(|(h, v)| *h += v);
            }
            let hidden: Vec<f32> =
                hidden.chunks_exact(self.pieces).map(|c| c.iter().copied().fold(f32::MIN, f32::max)).collect();
            let scores = self.upper.run(&hidden, hidden.len(), 1);
            let may = |m: &Move| match (m.action, open) {
                (Action::Begin, None) => !is_last && !is_space && !m.label.is_empty(),
                (Action::Unit, None) => !is_space && !m.label.is_empty(),
                (Action::Out, None) => true,
                (Action::In, Some((_, label, _))) => !is_last && m.label == label,
                (Action::Last, Some((_, label, _))) => m.label == label,
                _ => false,
            };
            let mut best: Option<(f32, &Move)> = None;
            for (score, m) in scores.iter().zip(&self.moves).filter(|(_, m)| may(m)) {
                if best.is_none_or(|(highest, _)| *score > highest) {
                    best = Some((*score, m));
                }
            }
            let Some((highest, chosen)) = best else { continue };
            if chosen.action == Action::Out {
                continue;
            }
            let allowed = scores.iter().zip(&self.moves).filter(|(_, m)| may(m));
            let sure = 1.0 / allowed.map(|(score, _)| (score - highest).exp()).sum::<f32>();
            let (first, label, sure) = match open.take() {
                Some((first, label, before)) => (first, label, before.min(sure)),
                None => (i, chosen.label.as_str(), sure),
            };
            if matches!(chosen.action, Action::Begin | Action::In) {
                open = Some((first, label, sure));
            } else if let Some(kind) = kind(label) {
                let from = place(first).0;
                names.push(Name { from, to, kind, text: text[from..to].to_owned(), trust: sure });
            }
        }
        names
    }
}

/// What spaCy's labels are to an archive; none for dates, amounts, languages and what is left.
fn kind(label: &str) -> Option<FindingKind> {
    match label {
        "PER" | "PERSON" => Some(FindingKind::Person),
        "LOC" | "GPE" | "FAC" => Some(FindingKind::Place),
        "ORG" => Some(FindingKind::Organization),
        _ => None,
    }
}

/// The words of a text and the white space between them, apart from the one space behind a word, as spaCy tells them.
fn words(text: &str) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    let (mut start, mut is_space) = (0, text.starts_with(char::is_whitespace));
    let ends = text.char_indices().map(|(at, c)| (at, Some(c))).chain([(text.len(), None)]);
    for (at, c) in ends {
        if c.is_none_or(|c| c.is_whitespace() != is_space) {
            if start < at {
                all.push((start, at));
            }
            start = if c == Some(' ') { at + 1 } else { at };
            is_space = !is_space;
        }
    }
    all
}

/// What words stand for, by their number.
fn norms(path: &Path) -> Result<HashMap<u64, String>> {
    let lookups = pack::read(path)?;
    if !lookups.is_map() {
        return Err(pack::damaged(path, "it has no tables"));
    }
    // A language without one has none.
    let table = pack::field(&lookups, "lexeme_norm").and_then(Value::as_map);
    let row = |(key, norm): &(Value, Value)| {
        let key = key.as_u64().or_else(|| pack::text(key).map(features::number))?;
        Some((key, pack::text(norm)?.to_owned()))
    };
    Ok(table.into_iter().flatten().filter_map(row).collect())
}

/// The parser's moves in the order of its scores: by action, the most frequent label first.
fn moves(path: &Path) -> Result<Vec<Move>> {
    let value = pack::read(path)?;
    let table =
        pack::field(&value, "moves").and_then(pack::text).ok_or_else(|| pack::damaged(path, "it has no moves"))?;
    let table: serde_json::Value =
        serde_json::from_str(table).map_err(|e| pack::damaged(path, "its moves are no JSON").because(e))?;
    let mut moves = Vec::new();
    for (number, action) in Action::ALL.into_iter().enumerate() {
        let labels = table.get(number.to_string()).and_then(|labels| labels.as_object());
        let mut labels: Vec<(i64, &String)> =
            labels.into_iter().flatten().map(|(label, count)| (count.as_i64().unwrap_or_default(), label)).collect();
        labels.sort_by(|a, b| b.cmp(a));
        moves.extend(labels.into_iter().map(|(_, label)| Move { action, label: label.clone() }));
    }
    let is_known = |m: &Move| kind(&m.label).is_some();
    match moves.iter().any(is_known) {
        true => Ok(moves),
        false => {
            Err(Error::corrupt(format!("{} has no label for a person, a place or an organization", path.display())))
        }
    }
}
