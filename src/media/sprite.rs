//! Sheets of small pictures and the WebVTT list that says which part of which sheet is shown when: written here, and read
//! again for the gate.
//!
//! The list is what players take as thumbnails: each cue's text is a sheet's name and the rectangle of one picture in it
//! (W3C Media Fragments 1.0, `#xywh=`).

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use super::image::{self, Pixels};
use crate::{
    error::{Doing, Error, Result},
    profile::Sprite,
};

/// Most pixels of a sheet from top to bottom: what WebP holds.
const MOST_HEIGHT: u32 = 16_383;

/// Sheets that are being laid out, one at a time in memory.
pub struct Sheets {
    out_dir: PathBuf,
    entry: String,
    spec: Sprite,
    layout: Layout,
    sheet: Option<Pixels>,
    laid: usize,
    written: Vec<String>,
}

/// Where each picture goes.
#[derive(Clone, Copy)]
struct Layout {
    tile: (u32, u32),
    columns: u32,
    rows: u32,
    count: usize,
}

impl Layout {
    fn new(spec: &Sprite, tile: (u32, u32), count: usize) -> Self {
        let columns = spec.columns.min(count.max(1) as u32);
        Self { tile, columns, rows: spec.rows.min(MOST_HEIGHT / tile.1.max(1)).max(1), count }
    }

    fn of_sheet(&self) -> usize {
        (self.columns * self.rows) as usize
    }

    /// The sheet of a picture, and its upper left corner there.
    fn place(&self, index: usize) -> (usize, u32, u32) {
        let within = (index % self.of_sheet()) as u32;
        (index / self.of_sheet(), within % self.columns * self.tile.0, within / self.columns * self.tile.1)
    }

    /// The size of a sheet; the last is only as high as it must be.
    fn size(&self, sheet: usize) -> (u32, u32) {
        let left = (self.count - (sheet * self.of_sheet()).min(self.count)) as u32;
        let rows = left.div_ceil(self.columns).min(self.rows);
        (self.columns * self.tile.0, rows * self.tile.1)
    }
}

impl Sheets {
    /// Begins the sheets of an entry in `out_dir`, of `count` pictures of this size.
    pub fn new(out_dir: &Path, entry: &str, spec: &Sprite, tile: (u32, u32), count: usize) -> Self {
        Self {
            out_dir: out_dir.to_owned(),
            entry: entry.to_owned(),
            spec: spec.clone(),
            layout: Layout::new(spec, tile, count),
            sheet: None,
            laid: 0,
            written: Vec::new(),
        }
    }

    /// Lays on the next picture.
    pub fn push(&mut self, tile: &Pixels) -> Result<()> {
        if (tile.width, tile.height) != self.layout.tile || tile.alpha {
            return Err(Error::internal("a picture of another kind does not fit onto the sheet"));
        }
        let (index, left, top) = self.layout.place(self.laid);
        let (width, height) = self.layout.size(index);
        let sheet = self.sheet.get_or_insert_with(|| Pixels {
            width,
            height,
            alpha: false,
            data: vec![0; width as usize * height as usize * 3],
        });
        let row = tile.width as usize * 3;
        for (y, from) in tile.data.chunks_exact(row).enumerate() {
            let at = ((top as usize + y) * width as usize + left as usize) * 3;
            sheet.data[at..at + row].copy_from_slice(from);
        }
        self.laid += 1;
        if self.laid.is_multiple_of(self.layout.of_sheet()) { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<()> {
        let Some(sheet) = self.sheet.take() else { return Ok(()) };
        let name = self.spec.sheet(&self.entry, self.written.len());
        let path = self.out_dir.join(&name);
        let bytes = image::encode_still(&sheet, &self.spec.coding())?;
        std::fs::write(&path, bytes).doing(|| format!("cannot write {}", path.display()))?;
        self.written.push(name);
        Ok(())
    }

    /// Completes the sheets and writes the list of these times; gives the names of all files, the list's first.
    pub fn finish(mut self, cues: &[(u64, u64)]) -> Result<Vec<String>> {
        self.write()?;
        let mut text = "WEBVTT\n".to_owned();
        for (i, (from, to)) in cues.iter().enumerate() {
            let (sheet, x, y) = self.layout.place(i);
            let (name, (w, h)) = (self.spec.sheet(&self.entry, sheet), self.layout.tile);
            // Writing to a string cannot fail.
            write!(text, "\n{} --> {}\n{name}#xywh={x},{y},{w},{h}\n", stamp(*from), stamp(*to)).ok();
        }
        let list = format!("{}.vtt", self.entry);
        let path = self.out_dir.join(&list);
        std::fs::write(&path, text).doing(|| format!("cannot write {}", path.display()))?;
        Ok([vec![list], self.written].concat())
    }
}

/// A time as WebVTT writes it.
fn stamp(ms: u64) -> String {
    format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

/// One cue of a list.
struct Cue {
    from: u64,
    to: u64,
    sheet: String,
    rectangle: [u32; 4],
}

fn cues(text: &str) -> Option<Vec<Cue>> {
    let mut blocks = text.strip_prefix("WEBVTT\n\n")?.trim_end().split("\n\n");
    let time = |stamp: &str| {
        let (clock, ms) = stamp.trim().split_once('.')?;
        let seconds = clock.split(':').try_fold(0u64, |sum, part| Some(sum * 60 + part.parse::<u64>().ok()?))?;
        Some(seconds * 1000 + ms.parse::<u64>().ok()?)
    };
    blocks
        .by_ref()
        .map(|block| {
            let (times, text) = block.split_once('\n')?;
            let (from, to) = times.split_once(" --> ")?;
            let (sheet, rectangle) = text.trim().split_once("#xywh=")?;
            let numbers: Vec<u32> = rectangle.split(',').map_while(|n| n.parse().ok()).collect();
            Some(Cue { from: time(from)?, to: time(to)?, sheet: sheet.to_owned(), rectangle: numbers.try_into().ok()? })
        })
        .collect()
}

/// What is wrong with the files of an entry, if anything is: cues must cover the duration without a gap, each must be a
/// rectangle of this size in a sheet that is there, no two the same, and every sheet must decode.
pub(super) fn check(
    out_dir: &Path,
    files: &[String],
    spec: &Sprite,
    tile: (u32, u32),
    duration_ms: u64,
) -> std::result::Result<(), String> {
    let (list, sheets) = files.split_first().ok_or("it has no files")?;
    let text = std::fs::read_to_string(out_dir.join(list)).map_err(|e| format!("its list cannot be read: {e}"))?;
    let cues = cues(&text).ok_or("its list is no WebVTT of thumbnails")?;
    if cues.len() != spec.cues(duration_ms).len() {
        return Err(format!("its list has {} cues, not {}", cues.len(), spec.cues(duration_ms).len()));
    }
    let ends: Vec<u64> = cues.iter().map(|c| c.to).collect();
    let begins: Vec<u64> = cues.iter().map(|c| c.from).collect();
    if begins.first() != Some(&0) || begins[1..] != ends[..ends.len() - 1] || ends.last() != Some(&duration_ms.max(1)) {
        return Err("its cues do not cover the recording without a gap".to_owned());
    }
    let mut sizes = std::collections::BTreeMap::new();
    for sheet in sheets {
        let mime = spec.coding().mime();
        let (width, height, _) =
            image::check(&out_dir.join(sheet), mime).map_err(|e| format!("{sheet}: {}", e.one_line()))?;
        sizes.insert(sheet.as_str(), (width, height));
    }
    let mut taken = std::collections::BTreeSet::new();
    for Cue { sheet, rectangle: [x, y, w, h], .. } in &cues {
        let Some((width, height)) = sizes.get(sheet.as_str()) else { return Err(format!("its list names '{sheet}'")) };
        if (*w, *h) != tile || x + w > *width || y + h > *height || !taken.insert((sheet.as_str(), *x, *y)) {
            return Err(format!("its list names a wrong part of '{sheet}': {x},{y},{w},{h}"));
        }
    }
    match sizes.keys().all(|sheet| taken.iter().any(|(named, ..)| named == sheet)) {
        true => Ok(()),
        false => Err("it has a sheet that its list does not name".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_go_from_left_to_right_onto_one_sheet_after_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let spec: Sprite =
            serde_json::from_str(r#"{"columns": 3, "rows": 2, "interval": "1s", "quality": 95}"#).unwrap();
        let cues = spec.cues(7_500);
        let mut sheets = Sheets::new(dir.path(), "s", &spec, (32, 16), cues.len());
        for i in 0..8u8 {
            sheets.push(&Pixels { width: 32, height: 16, alpha: false, data: vec![30 * i; 32 * 16 * 3] }).unwrap();
        }
        let files = sheets.finish(&cues).unwrap();
        assert_eq!(files, ["s.vtt", "s.001.jpg", "s.002.jpg"]);
        let text = std::fs::read_to_string(dir.path().join("s.vtt")).unwrap();
        assert!(text.starts_with("WEBVTT\n\n00:00:00.000 --> 00:00:01.000\ns.001.jpg#xywh=0,0,32,16\n"), "{text}");
        assert!(text.ends_with("\n00:00:07.000 --> 00:00:07.500\ns.002.jpg#xywh=32,0,32,16\n"), "{text}");
        let check = |files: &[String], duration| check(dir.path(), files, &spec, (32, 16), duration);
        assert_eq!(check(&files, 7_500), Ok(()));
        assert!(check(&files, 7_600).unwrap_err().contains("cover"));
        assert!(check(&files[..2], 7_500).unwrap_err().contains("names 's.002.jpg'"));
        std::fs::write(dir.path().join("s.vtt"), text.replace("32,0,32,16", "64,16,32,16")).unwrap();
        assert!(check(&files, 7_500).unwrap_err().contains("wrong part"));
    }
}
