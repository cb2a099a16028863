//! Whether what somebody brings is the model that it is said to be, as far as its head and its outline tell: what is found out
//! here is not found out by a thousand failed jobs. Whether it learns anything is for who uses it.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

use super::{Use, each_file, head, onnx};
use crate::error::{Doing, Error, Result};

/// What every ONNX Runtime has in its table of names.
const ENTRANCE: &[u8] = b"OrtGetApiBase";

/// Looks at a file or a folder that is to be a model. `Invalid` tells what was expected. A folder of CTranslate2 is looked at by
/// who converts it.
pub(super) fn check(from: &Path, purpose: Use) -> Result<()> {
    match purpose {
        Use::Speech if from.is_dir() => Ok(()),
        Use::Speech => head::check_whisper(from),
        Use::Voice => head::check_voice(&only(from, purpose)?),
        Use::Objects => onnx::check_detector(&only(from, purpose)?),
        Use::Text => {
            onnx::check_lines(&part(from, "det.onnx")?)?;
            onnx::check_reader(&part(from, "rec.onnx")?)
        }
        Use::Names => {
            json(&part(from, "meta.json")?, "lang")?;
            let others = ["tokenizer", "ner/model", "ner/moves", "vocab/lookups.bin"];
            others.into_iter().try_for_each(|name| part(from, name).map(drop))
        }
        Use::Meaning => {
            json(&part(from, "tokenizer.json")?, "model")?;
            onnx::check_meaning(&part(from, "model.onnx")?)
        }
        Use::Runtime => library(&only(from, purpose)?),
    }
}

/// The file that is used of a model that has one: the file itself, the one of the usual name, or a folder's only one.
fn only(from: &Path, purpose: Use) -> Result<PathBuf> {
    if !from.is_dir() {
        return Ok(from.to_owned());
    }
    let usual = purpose.file().unwrap_or_default();
    let mut all = Vec::new();
    each_file(from, &mut |path, name| {
        all.push((name.to_owned(), path.to_owned()));
        Ok(())
    })?;
    let found = match all.as_slice() {
        [(_, one)] => Some(one),
        several => several.iter().find(|(name, _)| name == usual).map(|(_, path)| path),
    };
    found.cloned().ok_or_else(|| {
        Error::invalid(format!("there is no {usual} in {}", from.display())).hint("name the file, and not its folder")
    })
}

fn part(from: &Path, name: &str) -> Result<PathBuf> {
    if !from.is_dir() {
        return Err(Error::invalid(format!("{} is no folder, and has no {name}", from.display())));
    }
    let path = from.join(name);
    match path.is_file() {
        true => Ok(path),
        false => Err(Error::invalid(format!("there is no {name} in {}", from.display()))),
    }
}

/// Whether a file is JSON that says something under this name.
fn json(path: &Path, name: &str) -> Result<()> {
    let file = File::open(path).doing(|| format!("cannot open {}", path.display()))?;
    let said: Option<serde_json::Value> = serde_json::from_reader(BufReader::new(file)).ok();
    match said.is_some_and(|said| said.get(name).is_some()) {
        true => Ok(()),
        false => Err(Error::invalid(format!("{} has no '{name}', as such a file does", path.display()))),
    }
}

/// Whether a file is an ONNX Runtime for this machine.
fn library(path: &Path) -> Result<()> {
    /// ELF's numbers of processors.
    const MACHINE: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    let odd = |why: &str| Error::invalid(format!("{} is no ONNX Runtime: {why}", path.display()));
    let mut file = BufReader::new(File::open(path).doing(|| format!("cannot open {}", path.display()))?);
    let mut head = [0; 20];
    let is_read = file.read_exact(&mut head).is_ok();
    if !is_read || head[..5] != *b"\x7fELF\x02" {
        return Err(odd("it is no shared library of 64 bits"));
    }
    if u16::from_le_bytes([head[18], head[19]]) != MACHINE {
        return Err(odd("it is for another kind of processors"));
    }
    let (mut block, mut kept) = (vec![0; 1 << 20], 0);
    loop {
        let read = file.read(&mut block[kept..]).doing(|| format!("cannot read {}", path.display()))?;
        let end = kept + read;
        if block[..end].windows(ENTRANCE.len()).any(|w| w == ENTRANCE) {
            return Ok(());
        }
        if read == 0 {
            return Err(odd("it is another library"));
        }
        // It may lie across the end of a block.
        kept = end.min(ENTRANCE.len() - 1);
        block.copy_within(end - kept..end, 0);
    }
}
