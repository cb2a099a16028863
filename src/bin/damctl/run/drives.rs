//! `damctl drives`: what was taken in; and how a drive is named on the command line.

use std::{ffi::OsStr, path::Path};

use anyhow::Result;
use damctl::{
    catalog::{Catalog, DriveRow},
    error::Error,
    ingest,
    model::Drive,
};
use indicatif::HumanBytes;
use serde_json::json;

use super::{Archive, Verdict, print};
use crate::cli::DrivesArgs;

pub fn run(args: &DrivesArgs, archive: &Archive) -> Result<Verdict> {
    let catalog = archive.catalog()?;
    let rows = catalog.drive_rows()?;
    if rows.is_empty() && !args.json {
        print("no drive was taken in yet: 'damctl ingest PATH' does it");
    }
    for row in &rows {
        match args.json {
            true => print(as_json(row, is_here(&row.drive))),
            false => show(row, is_here(&row.drive)),
        }
    }
    Ok(Verdict::Done)
}

/// Whether the drive is where it was when it was last looked at. A mount point without its disk is an empty folder, so
/// something must lie there.
pub fn is_here(drive: &Drive) -> bool {
    let root = drive.root.under(Path::new("/"));
    std::fs::read_dir(&root).is_ok_and(|mut dir| dir.next().is_some()) && ingest::is_here(drive)
}

/// The drive that is meant: by id, its first digits, label, a path on it, or where its root was.
pub fn find(catalog: &Catalog, text: &OsStr) -> Result<Drive> {
    let (drives, path) = (catalog.drives()?, Path::new(text));
    let word = text.to_string_lossy();
    let is_digits = word.len() >= 4 && word.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let by_id = |d: &Drive| is_digits && d.id.to_string().starts_with(&word.to_ascii_lowercase());
    let one_of = |found: Vec<&Drive>| match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some((*one).clone())),
        several => {
            let ids = several.iter().map(|d| format!("{} ({})", d.id, d.label)).collect::<Vec<_>>().join(", ");
            Err(Error::invalid(format!("'{word}' is more than one drive: {ids}"))
                .hint("give the first digits of the id"))
        }
    };
    if let Some(named) = one_of(drives.iter().filter(|d| by_id(d) || d.label == word).collect())? {
        return Ok(named);
    }
    if path.exists() {
        let (here, _) = ingest::locate(catalog, path)?;
        // As the catalog has it, which may know more of it than can be seen now; but where it is now.
        if let Some(known) = drives.iter().find(|d| d.id == here.id) {
            return Ok(Drive { root: here.root, ..known.clone() });
        }
    }
    if let Some(was_there) = one_of(drives.iter().filter(|d| d.root.under(Path::new("/")) == path).collect())? {
        return Ok(was_there);
    }
    if path.exists() {
        let message = format!("nothing of {word} was taken in");
        return Err(Error::not_found(message).hint(format!("'damctl ingest {word}' takes it in")).into());
    }
    Err(Error::not_found(format!("there is no drive '{word}'")).hint("'damctl drives' lists them").into())
}

fn as_json(row: &DriveRow, is_here: bool) -> serde_json::Value {
    let d = &row.drive;
    let gave: Vec<_> = row
        .counts
        .iter()
        .map(|(outcome, files, bytes)| json!({"outcome": outcome, "files": files, "bytes": bytes}))
        .collect();
    json!({
        "id": d.id, "label": d.label, "identity": d.identity, "fs_uuid": d.fs_uuid, "serial": d.serial,
        "bytes": d.bytes, "root": d.root, "here": is_here, "seen_at": row.seen_at, "surveyed_at": row.surveyed_at,
        "gave": gave,
    })
}

fn show(row: &DriveRow, is_here: bool) {
    let d = &row.drive;
    let mut what = vec![d.root.under(Path::new("/")).display().to_string()];
    what.push(if is_here { "here" } else { "not here" }.to_owned());
    what.extend(d.bytes.map(|b| HumanBytes(b).to_string()));
    what.extend(d.fs_uuid.as_ref().map(|uuid| format!("file system {uuid}")));
    what.extend(d.serial.as_ref().map(|serial| format!("serial {serial}")));
    let seen = row.seen_at.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    what.extend(seen.map(|t| format!("last looked at {}", t.strftime("%Y-%m-%d %H:%M UTC"))));
    print(format_args!("{}  {}  {}", &d.id.to_string()[..8], d.label, what.join(", ")));
    for (outcome, files, bytes) in &row.counts {
        print(format_args!("{files:>8} {:<11} {}", outcome.as_str(), HumanBytes(*bytes)));
    }
}
