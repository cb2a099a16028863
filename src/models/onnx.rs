//! What an ONNX file says that it takes and gives, read without its weights and without what runs it.
//!
//! It is one message of protobuf. `ModelProto`: 7 the graph, 14 what its maker wrote (1 key, 2 value). `GraphProto`: 5
//! initializers (8 name), 11 inputs, 12 outputs. `ValueInfoProto`: 1 name, 2 type; in it 1 a tensor; in that 1 what its
//! elements are (1: floats), 2 its shape of several 1, each of which may have a 1, a number.

use std::{
    collections::HashSet,
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use crate::error::{Doing, Error, Result};

/// Longest name or description that is read; weights are passed over.
const LONGEST: u64 = 1 << 20;
/// Most that a graph takes and gives, the weights among it that older files list there.
const MOST: usize = 20_000;
/// `TensorProto.DataType.FLOAT`.
const FLOAT: u64 = 1;

/// What a graph takes or gives: its sizes, of which none may be any; no list where that is not said.
type Sizes = Option<Vec<Option<u64>>>;

#[derive(Debug, Default)]
struct Outline {
    inputs: Vec<Value>,
    outputs: Vec<Value>,
    /// Keys of what its maker wrote.
    said: HashSet<String>,
}

#[derive(Debug, Default)]
struct Value {
    name: String,
    is_floats: bool,
    sizes: Sizes,
}

/// A detector of objects: CenterNet or YOLO.
pub(super) fn check_detector(path: &Path) -> Result<()> {
    const WANTED: &str = "detector of objects: expected is a model of floats [1, 3, side, side] to [1, 100, 6] (CenterNet) or to [1, 4 + \
                          classes, places] with 'names' in its metadata (YOLOv8 or YOLO11)";
    let model = outline(path)?;
    let is_square = match model.inputs.first().and_then(|i| i.sizes.as_deref()) {
        Some([_, _, Some(height), Some(width)]) => height == width,
        _ => true,
    };
    let is_centernet = matches!(model.outputs.first().and_then(|o| o.sizes.as_deref()), Some([_, Some(100), Some(6)]));
    let is_known = is_centernet || model.said.contains("names");
    model.fits(&[None, Some(3), None, None], &[None; 3], is_square && is_known, path, WANTED)
}

/// What tells where lines of text are.
pub(super) fn check_lines(path: &Path) -> Result<()> {
    const WANTED: &str =
        "detector of text: expected is a model of floats [n, 3, height, width] to [n, 1, height, width]";
    outline(path)?.fits(&[None, Some(3), None, None], &[None, Some(1), None, None], true, path, WANTED)
}

/// What tells what a line says.
pub(super) fn check_reader(path: &Path) -> Result<()> {
    const WANTED: &str = "recognizer of text: expected is a model of floats [n, 3, 48, width] to [n, steps, classes] with \
                          'character' in its metadata";
    let model = outline(path)?;
    let has_characters = model.said.contains("character");
    model.fits(&[None, Some(3), Some(48), None], &[None; 3], has_characters, path, WANTED)
}

/// What tells which way a text points.
pub(super) fn check_meaning(path: &Path) -> Result<()> {
    let model = outline(path)?;
    let has = |name: &str| model.inputs.iter().any(|input| input.name == name);
    if has("input_ids") && has("attention_mask") {
        return Ok(());
    }
    let found = told(model.inputs.iter().map(|input| input.name.clone()));
    let wanted = "model for meaning: expected is one that takes input_ids and attention_mask";
    Err(Error::invalid(format!("{} is no {wanted}; found is one of {found}", path.display())))
}

/// The first few, each as far as a line of text goes: a file may name as much as it likes.
fn told(all: impl ExactSizeIterator<Item = String>) -> String {
    const FEW: usize = 5;
    let more = if all.len() > FEW { ", …" } else { "" };
    let short = |text: String| text.chars().filter(|c| !c.is_control()).take(60).collect::<String>();
    format!("{}{more}", all.take(FEW).map(short).collect::<Vec<_>>().join(", "))
}

impl Outline {
    fn fits(&self, input: &[Option<u64>], output: &[Option<u64>], is: bool, path: &Path, wanted: &str) -> Result<()> {
        let fits = |value: Option<&Value>, wanted: &[Option<u64>]| {
            let Some(value) = value.filter(|value| value.is_floats) else { return false };
            // What is not said is found out when it is loaded.
            value.sizes.as_ref().is_none_or(|sizes| {
                let fits =
                    |(has, wanted): (&Option<u64>, &Option<u64>)| has.is_none() || wanted.is_none() || has == wanted;
                sizes.len() == wanted.len() && sizes.iter().zip(wanted).all(fits)
            })
        };
        if is && self.inputs.len() == 1 && fits(self.inputs.first(), input) && fits(self.outputs.first(), output) {
            return Ok(());
        }
        let list = |all: &[Value]| told(all.iter().map(Value::told));
        let found = format!("{} to {}", list(&self.inputs), list(&self.outputs));
        Err(Error::invalid(format!("{} is no {wanted}; found is one of {found}", path.display())))
    }
}

impl Value {
    fn told(&self) -> String {
        let size = |n: &Option<u64>| n.map_or("any".to_owned(), |n| n.to_string());
        let sizes = self.sizes.as_ref().map(|sizes| sizes.iter().map(size).collect::<Vec<_>>().join(", "));
        let kind = if self.is_floats { "" } else { "no floats " };
        format!("{} {kind}[{}]", self.name, sizes.unwrap_or_else(|| "?".to_owned()))
    }
}

/// A field of a message: a number, or so many bytes.
enum Field {
    Number(u64),
    Bytes(u64),
}

/// A file that is read from front to back.
struct Reading<'a> {
    file: BufReader<File>,
    at: u64,
    path: &'a Path,
}

fn outline(path: &Path) -> Result<Outline> {
    let file = File::open(path).doing(|| format!("cannot open {}", path.display()))?;
    let end = file.metadata().doing(|| format!("cannot look at {}", path.display()))?.len();
    let mut reading = Reading { file: BufReader::new(file), at: 0, path };
    let (mut all, mut weights, mut has_graph) = (Outline::default(), HashSet::new(), false);
    reading.message(end, &mut |r, number, field| match (number, field) {
        (7, Field::Bytes(length)) => {
            has_graph = true;
            let end = r.at + length;
            r.message(end, &mut |r, number, field| {
                match (number, field) {
                    (5, Field::Bytes(length)) => weights.extend(r.text_of(length, 8)?),
                    (11 | 12, _) if all.inputs.len() + all.outputs.len() >= MOST => return Err(r.odd()),
                    (11, Field::Bytes(length)) => all.inputs.push(r.value(length)?),
                    (12, Field::Bytes(length)) => all.outputs.push(r.value(length)?),
                    _ => {}
                }
                Ok(())
            })
        }
        (14, Field::Bytes(length)) => {
            all.said.extend(r.text_of(length, 1)?);
            Ok(())
        }
        _ => Ok(()),
    })?;
    if !has_graph {
        return Err(reading.odd());
    }
    // Older files list their weights among what they take.
    all.inputs.retain(|input| !weights.contains(&input.name));
    Ok(all)
}

impl Reading<'_> {
    fn odd(&self) -> Error {
        Error::invalid(format!("{} is no ONNX model, or is cut short", self.path.display()))
    }

    /// Calls `each` with every field of a message that ends there. What it leaves of a field is passed over.
    fn message(&mut self, end: u64, each: &mut dyn FnMut(&mut Self, u64, Field) -> Result<()>) -> Result<()> {
        while self.at < end {
            let tag = self.number()?;
            let field = match tag & 7 {
                0 => Field::Number(self.number()?),
                1 => Field::Bytes(8),
                2 => Field::Bytes(self.number()?),
                5 => Field::Bytes(4),
                _ => return Err(self.odd()),
            };
            let after = match field {
                Field::Number(_) => self.at,
                Field::Bytes(length) => {
                    self.at.checked_add(length).filter(|after| *after <= end).ok_or_else(|| self.odd())?
                }
            };
            each(self, tag >> 3, field)?;
            let rest = i64::try_from(after - self.at).map_err(|_| self.odd())?;
            self.file.seek_relative(rest).doing(|| format!("cannot read {}", self.path.display()))?;
            self.at = after;
        }
        match self.at == end {
            true => Ok(()),
            false => Err(self.odd()),
        }
    }

    fn number(&mut self) -> Result<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            self.file.read_exact(&mut byte).map_err(|e| self.odd().because(e))?;
            self.at += 1;
            number |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(number);
            }
        }
        Err(self.odd())
    }

    fn text(&mut self, length: u64) -> Result<String> {
        if length > LONGEST {
            return Err(self.odd());
        }
        let mut bytes = vec![0; length as usize];
        self.file.read_exact(&mut bytes).map_err(|e| self.odd().because(e))?;
        self.at += length;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The text in one field of a message.
    fn text_of(&mut self, length: u64, wanted: u64) -> Result<Option<String>> {
        let (end, mut text) = (self.at + length, None);
        self.message(end, &mut |r, number, field| {
            if let (true, Field::Bytes(length)) = (number == wanted, field) {
                text = Some(r.text(length)?);
            }
            Ok(())
        })?;
        Ok(text)
    }

    fn value(&mut self, length: u64) -> Result<Value> {
        let (end, mut value) = (self.at + length, Value::default());
        self.message(end, &mut |r, number, field| {
            match (number, field) {
                (1, Field::Bytes(length)) => value.name = r.text(length)?,
                (2, Field::Bytes(length)) => r.inside(length, 1, &mut |r, number, field| {
                    match (number, field) {
                        (1, Field::Number(kind)) => value.is_floats = kind == FLOAT,
                        (2, Field::Bytes(length)) => value.sizes = Some(r.sizes(length)?),
                        _ => {}
                    }
                    Ok(())
                })?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(value)
    }

    fn sizes(&mut self, length: u64) -> Result<Vec<Option<u64>>> {
        let (end, mut sizes) = (self.at + length, Vec::new());
        self.message(end, &mut |r, number, field| {
            if let (1, Field::Bytes(length)) = (number, field) {
                let (end, mut size) = (r.at + length, None);
                r.message(end, &mut |_, number, field| {
                    if let (1, Field::Number(n)) = (number, field) {
                        size = Some(n);
                    }
                    Ok(())
                })?;
                sizes.push(size);
            }
            Ok(())
        })?;
        Ok(sizes)
    }

    /// The fields of a message in one field of a message.
    fn inside(
        &mut self,
        length: u64,
        wanted: u64,
        each: &mut dyn FnMut(&mut Self, u64, Field) -> Result<()>,
    ) -> Result<()> {
        let end = self.at + length;
        self.message(end, &mut |r, number, field| match (number == wanted, field) {
            (true, Field::Bytes(length)) => {
                let end = r.at + length;
                r.message(end, each)
            }
            _ => Ok(()),
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn message(fields: &[(u64, Vec<u8>)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, bytes) in fields {
            out.push((number << 3 | 2) as u8);
            let mut length = bytes.len();
            while length >= 0x80 {
                out.push(length as u8 | 0x80);
                length >>= 7;
            }
            out.push(length as u8);
            out.extend(bytes);
        }
        out
    }

    fn value(name: &str, kind: u8, sizes: &[Option<u8>]) -> Vec<u8> {
        let size = |n: &Option<u8>| (1, n.map_or_else(|| message(&[(2, b"n".to_vec())]), |n| vec![8, n]));
        let shape = message(&sizes.iter().map(size).collect::<Vec<_>>());
        let tensor = [vec![8, kind], message(&[(2, shape)])].concat();
        message(&[(1, name.into()), (2, message(&[(1, tensor)]))])
    }

    /// A graph of the shape of CenterNet's, without a node.
    pub(in crate::models) fn centernet() -> Vec<u8> {
        let weights = message(&[(8, b"w".to_vec()), (9, vec![0; 300])]);
        let graph = message(&[
            (5, weights),
            (11, value("images", 1, &[Some(1), Some(3), Some(64), Some(64)])),
            (11, value("w", 1, &[Some(9)])),
            (12, value("detections", 1, &[Some(1), Some(100), Some(6)])),
        ]);
        [vec![8, 8], message(&[(7, graph)])].concat()
    }

    #[test]
    fn an_outline_is_read_and_what_is_another_or_cut_short_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path();
        let write = |bytes: &[u8]| std::fs::write(path, bytes).unwrap();
        let model = centernet();
        write(&model);
        check_detector(path).unwrap();
        let said = check_reader(path).unwrap_err().one_line();
        assert!(
            said.contains("no recognizer of text") && said.contains("images [1, 3, 64, 64] to detections"),
            "{said}"
        );
        assert!(check_lines(path).is_err());
        for bytes in [&model[..model.len() - 1], &b"onnx"[..], &[0xff; 400], b""] {
            write(bytes);
            assert!(check_detector(path).unwrap_err().one_line().contains("no ONNX model"), "{bytes:?}");
        }
        let integers = message(&[(11, value("x", 7, &[None, Some(3), None, None])), (12, value("y", 1, &[None; 3]))]);
        write(&message(&[(7, integers), (14, message(&[(1, b"names".to_vec()), (2, b"{}".to_vec())]))]));
        assert!(check_detector(path).unwrap_err().one_line().contains("x no floats [any, 3, any, any]"));
    }
}
