//! The files of a spaCy pipeline, which are msgpack: read once it is known how much they hold.

use std::{fs::File, io::Read, path::Path};

use rmpv::Value;

use crate::error::{Doing, Error, Result};

/// Largest file that is read. The recognizers of spaCy's small, middle and large pipelines take 7 MB.
const LARGEST: u64 = 64 << 20;
/// Most values in a file: what is read takes some forty bytes for each. A tokenizer has 10,000.
const MOST: usize = 1_000_000;

/// Reads a file and refuses one that is damaged, or that says that it holds more than it does.
pub(super) fn read(path: &Path) -> Result<Value> {
    let mut bytes = Vec::new();
    let file = File::open(path).doing(|| format!("cannot open {}", path.display()))?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).doing(|| format!("cannot read {}", path.display()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(damaged(path, "it is too large for what it should be"));
    }
    if !is_whole(&bytes) {
        return Err(damaged(path, "it is no whole msgpack file"));
    }
    rmpv::decode::read_value(&mut &bytes[..]).map_err(|e| damaged(path, "it is no msgpack file").because(e))
}

/// The error of a file that is not what it should be.
pub(super) fn damaged(path: &Path, why: &str) -> Error {
    Error::corrupt(format!("{} cannot be used: {why}", path.display()))
        .hint("get the model again: 'damctl models verify' tells which of its files are damaged")
}

/// Whether the first value of these bytes ends among them and is of a size that can be held.
fn is_whole(bytes: &[u8]) -> bool {
    let (mut at, mut due) = (0usize, 1u64);
    for _ in 0..MOST {
        if due == 0 {
            return true;
        }
        let Some((head, body, inside)) = first(&bytes[at..]) else { return false };
        let end = (at as u64).saturating_add(head).saturating_add(body);
        due = (due - 1).saturating_add(inside);
        // Each value that is still to come takes a byte at least.
        if end.saturating_add(due) > bytes.len() as u64 {
            return false;
        }
        at = end as usize;
    }
    false
}

/// How many bytes the first value's head has, how many its body, and how many values are inside of it.
///
/// <https://github.com/msgpack/msgpack/blob/master/spec.md>
fn first(bytes: &[u8]) -> Option<(u64, u64, u64)> {
    let kind = *bytes.first()?;
    let number = |width: usize| Some(bytes.get(1..=width)?.iter().fold(0u64, |n, b| n << 8 | u64::from(*b)));
    let low = |mask: u8| u64::from(kind & mask);
    Some(match kind {
        0x00..=0x7F | 0xC0 | 0xC2 | 0xC3 | 0xE0..=0xFF => (1, 0, 0),
        0x80..=0x8F => (1, 0, 2 * low(0x0F)),
        0x90..=0x9F => (1, 0, low(0x0F)),
        0xA0..=0xBF => (1, low(0x1F), 0),
        0xC1 => return None,
        0xC4 | 0xD9 => (2, number(1)?, 0),
        0xC5 | 0xDA => (3, number(2)?, 0),
        0xC6 | 0xDB => (5, number(4)?, 0),
        0xC7 => (3, number(1)?, 0),
        0xC8 => (4, number(2)?, 0),
        0xC9 => (6, number(4)?, 0),
        0xCA | 0xCE | 0xD2 => (5, 0, 0),
        0xCB | 0xCF | 0xD3 => (9, 0, 0),
        0xCC | 0xD0 => (2, 0, 0),
        0xCD | 0xD1 => (3, 0, 0),
        0xD4..=0xD8 => (2, 1 << (kind - 0xD4), 0),
        0xDC => (3, 0, number(2)?),
        0xDD => (5, 0, number(4)?),
        0xDE => (3, 0, 2 * number(2)?),
        0xDF => (5, 0, 2 * number(4)?),
    })
}

/// A text, as Python writes it and as it writes the keys of arrays.
pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(s) => s.as_str(),
        Value::Binary(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

/// What a map has under a name.
pub(super) fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_map()?.iter().find(|(key, _)| text(key) == Some(name)).map(|(_, value)| value)
}

/// An array of numbers.
#[derive(Debug)]
pub(super) struct Array {
    /// Its sizes, the outermost first.
    pub(super) shape: Vec<usize>,
    /// Its numbers, as many as the sizes say, all of them finite.
    pub(super) data: Vec<f32>,
}

/// An array of 32-bit floats in the form of `msgpack-numpy`; none where it is not one or its bytes are not as many as it says.
pub(super) fn array(value: &Value) -> Option<Array> {
    if text(field(value, "type")?) != Some("<f4") {
        return None;
    }
    let shape = field(value, "shape")?.as_array()?;
    let shape = shape.iter().map(|n| usize::try_from(n.as_u64()?).ok()).collect::<Option<Vec<_>>>()?;
    let bytes = field(value, "data")?.as_slice()?;
    let count = shape.iter().try_fold(1usize, |product, n| product.checked_mul(*n))?;
    if count == 0 || count.checked_mul(4)? != bytes.len() {
        return None;
    }
    let data: Vec<f32> = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    data.iter().all(|n| n.is_finite()).then_some(Array { shape, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, value).unwrap();
        bytes
    }

    #[test]
    fn a_file_that_claims_more_than_it_has_is_refused_before_it_is_read() {
        let value = Value::Map(vec![
            ("a".into(), Value::Array(vec![1.into(), (-70000).into(), 1.5.into(), Value::Nil, true.into()])),
            ("b".into(), Value::Binary(vec![7; 300])),
            ("c".into(), "x".repeat(70_000).into()),
            ("d".into(), Value::Ext(1, vec![0; 8])),
        ]);
        let bytes = written(&value);
        assert!(is_whole(&bytes));
        assert!((0..bytes.len()).all(|n| !is_whole(&bytes[..n])), "no beginning of it is whole");
        // Four thousand million values in six bytes; maps in maps; a byte that means nothing.
        assert!(!is_whole(&[0xDD, 0xFF, 0xFF, 0xFF, 0xFF, 0xC0]));
        assert!(!is_whole(&[0xDF; 4000]));
        assert!(!is_whole(&[0xC1]));
        assert!(!is_whole(&[0x90].repeat(0)));
        let many = written(&Value::Array(vec![Value::Nil; MOST + 1]));
        assert!(!is_whole(&many), "what is whole and too much is refused as well");
    }

    #[test]
    fn an_array_has_as_many_numbers_as_its_shape_says() {
        let of = |shape: &[u64], data: &[f32]| {
            let bytes = data.iter().flat_map(|n| n.to_le_bytes()).collect();
            let shape = shape.iter().map(|n| (*n).into()).collect();
            Value::Map(vec![
                (Value::Binary(b"nd".to_vec()), true.into()),
                (Value::Binary(b"type".to_vec()), "<f4".into()),
                (Value::Binary(b"shape".to_vec()), Value::Array(shape)),
                (Value::Binary(b"data".to_vec()), Value::Binary(bytes)),
            ])
        };
        let good = array(&of(&[2, 1], &[1.0, -2.5])).unwrap();
        assert_eq!((good.shape, good.data), (vec![2, 1], vec![1.0, -2.5]));
        assert!(array(&of(&[3], &[1.0])).is_none());
        assert!(array(&of(&[u64::MAX, 2], &[1.0])).is_none());
        assert!(array(&of(&[0], &[])).is_none());
        assert!(array(&of(&[1], &[f32::NAN])).is_none());
    }
}
