//! Whisper models of CTranslate2 (as faster-whisper has them) in the format of whisper.cpp.
//!
//! CTranslate2's `model.bin`, little-endian: u32 version, string spec, u32 revision, u32 count of variables, each a string name, u8
//! rank, u32 per dimension, u8 type, u32 bytes and the data; u32 count of aliases, each two strings. A string is a u16 length
//! (with a closing NUL) and its bytes. Projections that are used together are stacked in one layer.
//!
//! ggml's file: u32 magic, eleven i32 of dimensions, the mel filters (i32 count, i32 bins, f32 each), the vocabulary (i32 count,
//! each u32 length and bytes), then tensors: i32 rank, i32 name length, i32 type, i32 per dimension (the innermost first), name,
//! data. Special tokens are not listed: whisper.cpp makes them itself.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
};

use crate::error::{Doing, Error, Result};

/// ggml's first four bytes, as a little-endian number.
pub(super) const MAGIC: u32 = 0x6767_6d6c;
/// Largest model that is read: large-v3 with 32 bits a weight has 6.2 GB.
const LARGEST: u64 = 8 << 30;
/// Values that share one scale in a packed row.
const BLOCK: usize = 32;

/// How weights are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weights {
    /// 16 bits a weight, as they were trained.
    #[default]
    F16,
    /// 8 bits, 32 of them sharing one scale: half as large.
    Q8,
}

impl Weights {
    /// ggml's number of the tensor type, and of the file's.
    fn numbers(self) -> (i32, i32) {
        match self {
            Weights::F16 => (1, 1),
            Weights::Q8 => (8, 2007),
        }
    }
}

impl std::str::FromStr for Weights {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "f16" => Ok(Weights::F16),
            "q8_0" => Ok(Weights::Q8),
            _ => Err(Error::invalid(format!("'{text}' is no kind of weights: expected f16 or q8_0"))),
        }
    }
}

/// Converts the model in a folder: `model.bin` (or `model.bin.part1`, `.part2`, …) and `vocabulary.json` or `vocabulary.txt`.
pub(super) fn convert(dir: &Path, to: &Path, weights: Weights) -> Result<()> {
    let bytes = model_bytes(dir)?;
    let model = Variables::read(&bytes)?;
    let tokens = text_tokens(dir)?;
    let file = File::create(to).doing(|| format!("cannot make {}", to.display()))?;
    let mut out = Out { file: BufWriter::new(file), weights };
    write(&model, &tokens, &mut out)?;
    let file =
        out.file.into_inner().map_err(|e| Error::unavailable(format!("cannot write {}", to.display())).because(e))?;
    file.sync_all().doing(|| format!("cannot write {}", to.display()))
}

fn model_bytes(dir: &Path) -> Result<Vec<u8>> {
    let whole = dir.join("model.bin");
    let parts = if whole.is_file() {
        vec![whole]
    } else {
        (1..).map(|n| dir.join(format!("model.bin.part{n}"))).take_while(|p| p.is_file()).collect()
    };
    if parts.is_empty() {
        return Err(Error::not_found(format!("there is no model.bin in {}", dir.display()))
            .hint("a folder of CTranslate2 has model.bin and vocabulary.json or vocabulary.txt"));
    }
    let size = |p: &std::path::PathBuf| fs::metadata(p).map_or(0, |m| m.len());
    if parts.iter().map(size).sum::<u64>() > LARGEST {
        return Err(Error::invalid(format!("the model has more than {} GiB", LARGEST >> 30)));
    }
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend(fs::read(&part).doing(|| format!("cannot read {}", part.display()))?);
    }
    Ok(bytes)
}

/// A tensor as CTranslate2 wrote it.
struct Variable<'a> {
    shape: Vec<usize>,
    kind: u8,
    data: &'a [u8],
}

struct Variables<'a>(HashMap<String, Variable<'a>>);

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        match self.0.split_at_checked(n) {
            Some((taken, rest)) => {
                self.0 = rest;
                Ok(taken)
            }
            None => Err(Error::corrupt("model.bin ends early").hint("is a part of it missing?")),
        }
    }

    fn number(&mut self) -> Result<usize> {
        let bytes = self.take(4)?.try_into().unwrap_or_default();
        Ok(u32::from_le_bytes(bytes) as usize)
    }

    fn text(&mut self) -> Result<String> {
        let length = u16::from_le_bytes(self.take(2)?.try_into().unwrap_or_default());
        let bytes = self.take(usize::from(length))?;
        Ok(String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned())
    }
}

/// Bytes of one value of CTranslate2's types: f32, i8, i16, i32, f16, bf16.
const SIZES: [usize; 6] = [4, 1, 2, 4, 2, 2];

impl<'a> Variables<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor(bytes);
        let version = cursor.number()?;
        if !(4..=6).contains(&version) {
            return Err(Error::unsupported(format!(
                "version {version} of CTranslate2's format is not known (4 to 6 are)"
            )));
        }
        let spec = cursor.text()?;
        if spec != "WhisperSpec" {
            return Err(Error::unsupported(format!("it is no Whisper model but a {spec}")));
        }
        cursor.number()?;
        let mut all = HashMap::new();
        for _ in 0..cursor.number()? {
            let name = cursor.text()?;
            let rank = usize::from(cursor.take(1)?[0]);
            let shape = (0..rank).map(|_| cursor.number()).collect::<Result<Vec<_>>>()?;
            let kind = cursor.take(1)?[0];
            let length = cursor.number()?;
            let data = cursor.take(length)?;
            let values = shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d));
            let size = SIZES.get(usize::from(kind));
            if size.zip(values).is_none_or(|(size, n)| n.checked_mul(*size) != Some(data.len())) {
                return Err(Error::corrupt(format!("{name} in model.bin does not have the size that it says")));
            }
            all.insert(name, Variable { shape, kind, data });
        }
        for _ in 0..cursor.number()? {
            let (alias, name) = (cursor.text()?, cursor.text()?);
            if let Some(Variable { shape, kind, data }) = all.get(&name) {
                let same = Variable { shape: shape.clone(), kind: *kind, data };
                all.insert(alias, same);
            }
        }
        Ok(Self(all))
    }

    fn get(&self, name: &str) -> Result<&Variable<'a>> {
        self.0.get(name).ok_or_else(|| Error::corrupt(format!("there is no {name} in model.bin")))
    }

    /// A tensor as numbers: those of 8 bits are scaled back, row by row.
    fn tensor(&self, name: &str) -> Result<Tensor> {
        let v = self.get(name)?;
        let values: Vec<f32> = match v.kind {
            0 => v.data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            4 => v.data.as_chunks::<2>().0.iter().map(|b| half_to_f32(u16::from_le_bytes(*b))).collect(),
            5 => v
                .data
                .as_chunks::<2>()
                .0
                .iter()
                .map(|b| f32::from_bits(u32::from(u16::from_le_bytes(*b)) << 16))
                .collect(),
            1 => {
                let scales = self.tensor(&format!("{name}_scale"))?.values;
                let row = v.data.len().checked_div(scales.len()).unwrap_or(0).max(1);
                v.data
                    .chunks(row)
                    .zip(&scales)
                    .flat_map(|(row, s)| row.iter().map(move |b| f32::from(*b as i8) / s))
                    .collect()
            }
            kind => return Err(Error::unsupported(format!("{name} is of the type {kind}, which is not known"))),
        };
        Ok(Tensor { shape: v.shape.clone(), values })
    }

    fn layers(&self, side: &str) -> usize {
        let number = |name: &String| {
            let rest = name.strip_prefix(side)?.strip_prefix("/layer_")?;
            rest.split('/').next()?.parse::<usize>().ok()
        };
        self.0.keys().filter_map(number).max().map_or(0, |last| last + 1)
    }
}

struct Tensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Tensor {
    /// So many equal parts along the first dimension.
    fn split(self, parts: usize) -> Result<Vec<Tensor>> {
        let rows = self.shape.first().copied().unwrap_or(0);
        if parts == 0 || rows == 0 || !rows.is_multiple_of(parts) {
            return Err(Error::corrupt("stacked weights in model.bin are not of equal size"));
        }
        let mut shape = self.shape.clone();
        shape[0] = rows / parts;
        let each = self.values.len() / parts;
        Ok(self.values.chunks(each).map(|v| Tensor { shape: shape.clone(), values: v.to_vec() }).collect())
    }
}

/// Where a model's file is written.
struct Out {
    file: BufWriter<File>,
    weights: Weights,
}

impl Out {
    fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).doing(|| "cannot write the model")
    }

    fn numbers(&mut self, numbers: &[i32]) -> Result<()> {
        numbers.iter().try_for_each(|n| self.bytes(&n.to_le_bytes()))
    }

    fn tensor(&mut self, name: &str, t: &Tensor) -> Result<()> {
        // Vectors, biases and tables of positions stay as they are; convolutions are not packed.
        let is_plain = t.shape.len() < 2 || name.ends_with(".bias") || name.ends_with(".positional_embedding");
        let is_packed = !is_plain && t.shape.len() == 2 && self.weights == Weights::Q8;
        let kind = match () {
            () if is_plain => 0,
            () if is_packed => self.weights.numbers().0,
            () => 1,
        };
        let size = |n: usize| i32::try_from(n).map_err(|_| Error::corrupt("a tensor of model.bin is too large"));
        self.numbers(&[size(t.shape.len())?, size(name.len())?, kind])?;
        for dimension in t.shape.iter().rev() {
            self.numbers(&[size(*dimension)?])?;
        }
        self.bytes(name.as_bytes())?;
        match () {
            () if is_plain => t.values.iter().try_for_each(|v| self.bytes(&v.to_le_bytes())),
            () if is_packed => {
                let row = t.shape[1];
                if !row.is_multiple_of(BLOCK) {
                    return Err(Error::unsupported(format!(
                        "rows of {row} weights cannot be packed in blocks of {BLOCK}"
                    )));
                }
                t.values.chunks(BLOCK).try_for_each(|block| self.bytes(&packed(block)))
            }
            () => t.values.iter().try_for_each(|v| self.bytes(&f32_to_half(*v).to_le_bytes())),
        }
    }
}

/// ggml's q8_0: a scale of 16 bits, and each value as a byte of it.
fn packed(block: &[f32]) -> [u8; 2 + BLOCK] {
    let halves: Vec<f32> = block.iter().map(|v| half_to_f32(f32_to_half(*v))).collect();
    let step = halves.iter().fold(0.0_f32, |most, v| most.max(v.abs())) / 127.0;
    let per = if step == 0.0 { 0.0 } else { 1.0 / step };
    let mut out = [0; 2 + BLOCK];
    out[..2].copy_from_slice(&f32_to_half(step).to_le_bytes());
    for (byte, v) in out[2..].iter_mut().zip(&halves) {
        *byte = ((v * per).round() as i8) as u8;
    }
    out
}

fn write(model: &Variables<'_>, tokens: &[Vec<u8>], out: &mut Out) -> Result<()> {
    let shape = |name: &str, rank: usize| -> Result<Vec<i32>> {
        let shape = &model.get(name)?.shape;
        match shape.len() == rank {
            true => Ok(shape.iter().map(|n| i32::try_from(*n).unwrap_or(0)).collect()),
            false => Err(Error::corrupt(format!("{name} in model.bin has {} dimensions", shape.len()))),
        }
    };
    let words = shape("decoder/embeddings/weight", 2)?;
    let text = shape("decoder/position_encodings/encodings", 2)?;
    let audio = shape("encoder/position_encodings/encodings", 2)?;
    let mels = shape("encoder/conv1/weight", 3)?[1];
    let heads = |side: &str| -> Result<i32> {
        let v = model.get(&format!("{side}/num_heads"))?;
        let bytes: Vec<u8> = v.data.iter().copied().chain([0; 4]).take(4).collect();
        Ok(i32::from_le_bytes(bytes.try_into().unwrap_or_default()) & if v.data.len() < 4 { 0xffff } else { -1 })
    };
    let layers = |side: &str| model.layers(side) as i32;
    if !matches!(mels, 80 | 128) {
        return Err(Error::unsupported(format!("a Whisper model of {mels} mel bands is not known")));
    }
    out.bytes(&MAGIC.to_le_bytes())?;
    let file_type = out.weights.numbers().1;
    out.numbers(&[words[0], audio[0], audio[1], heads("encoder")?, layers("encoder")])?;
    out.numbers(&[text[0], words[1], heads("decoder")?, layers("decoder"), mels, file_type])?;
    let filters = mel_filters(mels as usize);
    out.numbers(&[mels, (FFT / 2 + 1) as i32])?;
    filters.iter().try_for_each(|v| out.bytes(&v.to_le_bytes()))?;
    out.numbers(&[tokens.len() as i32])?;
    for token in tokens {
        out.numbers(&[token.len() as i32])?;
        out.bytes(token)?;
    }
    for side in ["encoder", "decoder"] {
        let name = format!("{side}.positional_embedding");
        out.tensor(&name, &model.tensor(&format!("{side}/position_encodings/encodings"))?)?;
        for layer in 0..model.layers(side) {
            write_layer(model, side, layer, out)?;
        }
    }
    for conv in ["conv1", "conv2"] {
        out.tensor(&format!("encoder.{conv}.weight"), &model.tensor(&format!("encoder/{conv}/weight"))?)?;
        let mut bias = model.tensor(&format!("encoder/{conv}/bias"))?;
        bias.shape.push(1);
        out.tensor(&format!("encoder.{conv}.bias"), &bias)?;
    }
    norm(model, "encoder/layer_norm", "encoder.ln_post", out)?;
    out.tensor("decoder.token_embedding.weight", &model.tensor("decoder/embeddings/weight")?)?;
    norm(model, "decoder/layer_norm", "decoder.ln", out)
}

fn norm(model: &Variables<'_>, from: &str, to: &str, out: &mut Out) -> Result<()> {
    out.tensor(&format!("{to}.weight"), &model.tensor(&format!("{from}/gamma"))?)?;
    out.tensor(&format!("{to}.bias"), &model.tensor(&format!("{from}/beta"))?)
}

fn write_layer(model: &Variables<'_>, side: &str, layer: usize, out: &mut Out) -> Result<()> {
    let (from, to) = (format!("{side}/layer_{layer}"), format!("{side}.blocks.{layer}"));
    let stacked = |from: String, to: String, names: &[&str], out: &mut Out| -> Result<()> {
        let weights = model.tensor(&format!("{from}/weight"))?.split(names.len())?;
        let biases = model.tensor(&format!("{from}/bias"))?.split(names.len())?;
        for ((name, weight), bias) in names.iter().zip(weights).zip(biases) {
            let dot = if name.is_empty() { String::new() } else { format!(".{name}") };
            out.tensor(&format!("{to}{dot}.weight"), &weight)?;
            // Whisper's keys have no bias; where they are stacked it is nothing but zeros.
            if *name != "key" {
                out.tensor(&format!("{to}{dot}.bias"), &bias)?;
            }
        }
        Ok(())
    };
    norm(model, &format!("{from}/self_attention/layer_norm"), &format!("{to}.attn_ln"), out)?;
    stacked(format!("{from}/self_attention/linear_0"), format!("{to}.attn"), &["query", "key", "value"], out)?;
    stacked(format!("{from}/self_attention/linear_1"), format!("{to}.attn.out"), &[""], out)?;
    if side == "decoder" {
        norm(model, &format!("{from}/attention/layer_norm"), &format!("{to}.cross_attn_ln"), out)?;
        stacked(format!("{from}/attention/linear_0"), format!("{to}.cross_attn"), &["query"], out)?;
        stacked(format!("{from}/attention/linear_1"), format!("{to}.cross_attn"), &["key", "value"], out)?;
        stacked(format!("{from}/attention/linear_2"), format!("{to}.cross_attn.out"), &[""], out)?;
    }
    norm(model, &format!("{from}/ffn/layer_norm"), &format!("{to}.mlp_ln"), out)?;
    stacked(format!("{from}/ffn/linear_0"), format!("{to}.mlp.0"), &[""], out)?;
    stacked(format!("{from}/ffn/linear_1"), format!("{to}.mlp.2"), &[""], out)
}

/// The tokens of text in the order of their numbers, as bytes.
fn text_tokens(dir: &Path) -> Result<Vec<Vec<u8>>> {
    let read = |path: &Path| fs::read_to_string(path).doing(|| format!("cannot read {}", path.display()));
    let (json, list) = (dir.join("vocabulary.json"), dir.join("vocabulary.txt"));
    let words: Vec<String> = if json.is_file() {
        serde_json::from_str(&read(&json)?).map_err(|e| Error::corrupt("vocabulary.json cannot be read").because(e))?
    } else {
        // Tokens hold other characters that end lines, so it is this one alone.
        let text = read(&list)?;
        text.strip_suffix('\n').unwrap_or(&text).split('\n').map(str::to_owned).collect()
    };
    let end = words.iter().position(|w| w == "<|endoftext|>");
    let end = end.ok_or_else(|| Error::corrupt("there is no <|endoftext|> in the vocabulary"))?;
    let bytes = byte_of_char();
    let token = |word: &String| -> Option<Vec<u8>> { word.chars().map(|c| bytes.get(&c).copied()).collect() };
    let tokens = words[..end].iter().map(token).collect::<Option<Vec<_>>>();
    tokens.ok_or_else(|| Error::corrupt("the vocabulary holds what no byte is written as"))
}

/// GPT-2 writes each byte as a character that can be seen: those of Latin-1 as themselves, the others from U+0100 on.
fn byte_of_char() -> HashMap<char, u8> {
    let is_seen = |b: &u8| matches!(b, 33..=126 | 161..=172 | 174..=255);
    let mut table: HashMap<char, u8> = (0..=255_u8).filter(is_seen).map(|b| (char::from(b), b)).collect();
    let unseen = (0..=255_u8).filter(|b| !is_seen(b));
    table.extend((0x100..).filter_map(char::from_u32).zip(unseen));
    table
}

/// Samples of one transform.
const FFT: usize = 400;
const RATE: f64 = 16_000.0;

/// Triangles of equal area over the transform's bins, evenly set on Slaney's mel scale: linear below 1 kHz, logarithmic above.
fn mel_filters(count: usize) -> Vec<f32> {
    let step = 6.4_f64.ln() / 27.0;
    let to_hz = |mel: f64| if mel < 15.0 { mel * 200.0 / 3.0 } else { 1000.0 * ((mel - 15.0) * step).exp() };
    let highest = 15.0 + (RATE / 2.0 / 1000.0).ln() / step;
    let edges: Vec<f64> = (0..count + 2).map(|i| to_hz(highest * i as f64 / (count + 1) as f64)).collect();
    let mut filters = Vec::with_capacity(count * (FFT / 2 + 1));
    for edge in edges.windows(3) {
        let (low, middle, high) = (edge[0], edge[1], edge[2]);
        for bin in 0..=FFT / 2 {
            let hz = bin as f64 * RATE / FFT as f64;
            let height = ((hz - low) / (middle - low)).min((high - hz) / (high - middle)).max(0.0);
            // Rounded twice, as those do whose filters the models were trained with.
            filters.push((f64::from(height as f32) * (2.0 / (high - low))) as f32);
        }
    }
    filters
}

/// IEEE 754 binary16, rounded to the nearest, ties to even.
fn f32_to_half(value: f32) -> u16 {
    let bits = value.to_bits();
    let (sign, exponent, mantissa) = ((bits >> 16) as u16 & 0x8000, (bits >> 23) as i32 & 0xff, bits & 0x7f_ffff);
    if exponent == 0xff {
        return sign | 0x7c00 | if mantissa != 0 { 0x200 } else { 0 };
    }
    let shifted = exponent - 127 + 15;
    if shifted >= 31 {
        return sign | 0x7c00;
    }
    let (full, drop) = if shifted <= 0 { (mantissa | 0x80_0000, 14 - shifted) } else { (mantissa, 13) };
    if drop > 24 {
        return sign;
    }
    let kept = full >> drop;
    let rest = full & ((1 << drop) - 1);
    let half = 1 << (drop - 1);
    let up = u32::from(rest > half || (rest == half && kept & 1 == 1));
    // What is carried over raises the exponent, as it should.
    let exponent = if shifted <= 0 { 0 } else { (shifted as u32) << 10 };
    sign | (exponent + kept + up) as u16
}

fn half_to_f32(half: u16) -> f32 {
    let (sign, exponent, mantissa) =
        (u32::from(half & 0x8000) << 16, u32::from(half >> 10) & 0x1f, u32::from(half) & 0x3ff);
    let bits = match exponent {
        0 => return f32::from_bits(sign | 0x3f80_0000) * (mantissa as f32) * 2.0_f32.powi(-24),
        31 => 0x7f80_0000 | mantissa << 13,
        e => (e + 112) << 23 | mantissa << 13,
    };
    f32::from_bits(sign | bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bits_are_rounded_as_processors_do() {
        for (value, half) in [
            (0.0_f32, 0x0000_u16),
            (-0.0, 0x8000),
            (1.0, 0x3c00),
            (65504.0, 0x7bff),
            (65520.0, 0x7c00),
            (1.0 + 1.0 / 2048.0, 0x3c00),
            (1.0 + 3.0 / 2048.0, 0x3c02),
            (5.960_464_5e-8, 0x0001),
            (2.0e-8, 0x0000),
            (6.103_515_6e-5, 0x0400),
        ] {
            assert_eq!(f32_to_half(value), half, "{value}");
        }
        for half in (0..0x7c00_u16).chain(0x8001..0xfc00) {
            assert_eq!(f32_to_half(half_to_f32(half)), half, "{half:#x}");
        }
    }

    #[test]
    fn a_model_that_ends_early_or_lies_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("out");
        let said = |bytes: &[u8]| {
            fs::write(dir.path().join("model.bin"), bytes).unwrap();
            convert(dir.path(), &to, Weights::F16).unwrap_err().one_line()
        };
        let mut model = vec![6, 0, 0, 0, 12, 0];
        model.extend(b"WhisperSpec\0\x03\0\0\0\x01\0\0\0\x02\0x\0\x01\xff\xff\xff\xff\x00\x04\0\0\0\0\0\0\0");
        assert!(said(&model).contains("does not have the size"), "{}", said(&model));
        assert!(said(&model[..30]).contains("ends early"), "{}", said(&model[..30]));
        assert!(said(b"\x63\0\0\0").contains("version 99"));
        fs::remove_file(dir.path().join("model.bin")).unwrap();
        assert!(convert(dir.path(), &to, Weights::F16).unwrap_err().one_line().contains("no model.bin"));
    }
}
