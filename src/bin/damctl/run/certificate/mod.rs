//! `damctl certificate`: what became of every path on a drive, as a document that can be signed, shown and compared.

use std::{
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::Result;
use damctl::{
    catalog::Catalog,
    digest::Digest,
    error::{Doing, Error, Kind},
    ingest::{Found, Selection, survey_selected},
    model::Drive,
    stop::Stop,
    tend::certificate::{self, Certificate, Change, Is, SealKey, Seen, Terms},
    work::{Event, Reporter},
};
use tempfile::NamedTempFile;

use super::{Archive, Verdict, drives, print};
use crate::cli::{CertificateArgs, Format};

mod html;
mod text;

pub fn run(
    args: &CertificateArgs,
    open: &dyn Fn() -> Result<Archive>,
    reporter: &dyn Reporter,
    stop: &Stop,
) -> Result<Verdict> {
    // Two files or a signature can be looked at by somebody who has no archive.
    if let (Some(file), Some(key)) = (&args.verify, &args.key) {
        return verify(file, key);
    }
    if let Some([old, new]) = args.compare.as_deref() {
        return compare(old, new, args.format, reporter);
    }
    let format = args.format.unwrap_or_else(|| by_ending(args.output.as_deref()));
    let key = args.sign.as_deref().map(SealKey::open).transpose()?;
    // Before the work, so that a mistake in the name does not cost a walk.
    let files = args.output.as_deref().map(|path| Files::new(path, key.is_some())).transpose()?;
    let (certificate, json) = match (&args.from, &args.drive) {
        (Some(file), _) => read(file)?,
        (None, Some(text)) => {
            let archive = open()?;
            let catalog = archive.catalog()?;
            let signer = key.as_ref().map(SealKey::fingerprint).transpose()?;
            let certificate = issue(&archive, &catalog, &drives::find(&catalog, text)?, signer, args.check, stop)?;
            let json = certificate.to_json()?;
            (certificate, json)
        }
        (None, None) => return Err(Error::invalid("no drive was named").into()),
    };
    // The record itself, or a view that says of which record it is one.
    let document = match format {
        Format::Json => json,
        Format::Text => text::render(&certificate, &Digest::of(&json)).into_bytes(),
        Format::Html => html::render(&certificate, &Digest::of(&json)).into_bytes(),
    };
    match files {
        Some(files) => {
            files.write(&document, key.map(|key| key.sign(&document)))?;
            print(&certificate.head.statement);
        }
        None => std::io::stdout().write_all(&document).or_else(closed).doing(|| "cannot write the certificate")?,
    }
    if args.output.is_some() || format != Format::Text {
        for entry in certificate.problems() {
            let what = entry.path.to_string();
            reporter.report(&Event::Item {
                what: &what,
                outcome: entry.outcome.words(),
                detail: entry.detail.as_deref(),
            });
        }
    }
    Ok(if certificate.head.complete { Verdict::Done } else { Verdict::SomeFailed })
}

/// A reader that went away is no failure.
fn closed(e: std::io::Error) -> std::io::Result<()> {
    if e.kind() == std::io::ErrorKind::BrokenPipe { Ok(()) } else { Err(e) }
}

fn by_ending(output: Option<&Path>) -> Format {
    match output.and_then(Path::extension).and_then(|e| e.to_str()) {
        Some("json") => Format::Json,
        Some("html" | "htm") => Format::Html,
        _ => Format::Text,
    }
}

fn issue(
    archive: &Archive,
    catalog: &Catalog,
    drive: &Drive,
    signer: Option<Digest>,
    check: bool,
    stop: &Stop,
) -> Result<Certificate> {
    let seen = drives::is_here(drive).then(|| see(archive, catalog, drive, stop)).transpose()?;
    let terms = Terms { archive: archive.settings.place(), signer };
    let mut certificate = certificate::issue(catalog, drive, seen, terms)?;
    if check {
        certificate.check(catalog, &*archive.store()?, stop)?;
    }
    Ok(certificate)
}

/// Walks the drive as ingest would.
fn see(archive: &Archive, catalog: &Catalog, drive: &Drive, stop: &Stop) -> Result<Vec<Seen>> {
    let (root, own) = (drive.root.under(Path::new("/")), archive.own_places()?);
    let survey = survey_selected(catalog, &root, &Selection::default().without(own.clone()), stop)?;
    let each = |found: Found| {
        let path = found.path().clone();
        let is = match found {
            _ if own.contains(&path.under(&root)) => Is::Archive,
            Found::New(source) => Is::New { bytes: source.bytes, mtime_ns: source.mtime_ns },
            Found::Unchanged(..) => Is::AsKnown,
            Found::Settled(s) => Is::Settled {
                outcome: s.outcome,
                detail: s.detail,
                bytes: s.bytes,
                mtime_ns: (s.inode != 0).then_some(s.mtime_ns),
            },
        };
        Seen { path, is }
    };
    Ok(survey.found.into_iter().map(each).collect())
}

fn read(file: &Path) -> Result<(Certificate, Vec<u8>)> {
    let json = std::fs::read(file).doing(|| format!("cannot read {}", file.display()))?;
    Ok((Certificate::parse(&json, &file.display().to_string())?, json))
}

fn compare(old: &Path, new: &Path, format: Option<Format>, reporter: &dyn Reporter) -> Result<Verdict> {
    let compared = certificate::compare(&read(old)?.0, &read(new)?.0);
    match format {
        None | Some(Format::Text) => {
            for p in &compared.paths {
                let detail = p.detail.as_ref().map(|d| format!(" ({d})")).unwrap_or_default();
                print(format_args!("{} {}{detail}", p.change.sign(), p.path));
            }
            let count = |change| compared.totals.get(&change).copied().unwrap_or_default();
            let lost = compared.paths.iter().filter(|p| p.lost).count();
            let text = format!(
                "{} the same, {} appeared, {} vanished, {} with other bytes, {} with another outcome: {}",
                count(Change::Same),
                count(Change::Appeared),
                count(Change::Vanished),
                count(Change::Bytes),
                count(Change::Outcome),
                match lost {
                    0 => "the later certificate accounts for everything that the earlier one did".to_owned(),
                    n => format!("the later certificate does not account for {n} path(s) of the earlier one"),
                }
            );
            reporter.report(&Event::Note { text: &text });
        }
        Some(Format::Json) => print(serde_json::to_string_pretty(&compared)?),
        Some(Format::Html) => return Err(Error::invalid("a comparison is text or JSON").into()),
    }
    Ok(if compared.complete { Verdict::Done } else { Verdict::SomeFailed })
}

fn verify(file: &Path, key: &Path) -> Result<Verdict> {
    let bytes = std::fs::read(file).doing(|| format!("cannot read {}", file.display()))?;
    let beside = signature_of(file);
    let signature = std::fs::read(&beside).doing(|| format!("cannot read {}", beside.display()))?;
    match certificate::verify_seal(key, &bytes, &signature) {
        Ok(signer) => print(format_args!("{}: signed by the key {signer}", file.display())),
        Err(e) if e.kind() == Kind::Corrupt => {
            print(format_args!("{}: {e}", file.display()));
            return Ok(Verdict::SomeFailed);
        }
        Err(e) => return Err(e.into()),
    }
    Ok(Verdict::Done)
}

fn signature_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

/// A file that is to be written, and its signature. Both are new: a certificate is a record.
struct Files {
    document: (NamedTempFile, PathBuf),
    signature: Option<(NamedTempFile, PathBuf)>,
}

impl Files {
    fn new(path: &Path, is_signed: bool) -> Result<Self> {
        let beside = signature_of(path);
        // An old signature beside a new document would call it forged.
        if let Some(there) = [path, &beside].into_iter().find(|p| p.symlink_metadata().is_ok()) {
            let message = format!("{} is there already", there.display());
            return Err(Error::invalid(message)
                .hint("a certificate is a record: give the new one another name")
                .into());
        }
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let open = || {
            let mode = std::fs::Permissions::from_mode(0o644);
            let file = tempfile::Builder::new().prefix(".certificate-").permissions(mode).tempfile_in(folder);
            file.doing(|| format!("cannot write to {}", folder.display()))
        };
        let signature = if is_signed { Some((open()?, beside)) } else { None };
        Ok(Self { document: (open()?, path.to_owned()), signature })
    }

    fn write(self, document: &[u8], signature: Option<[u8; 64]>) -> Result<()> {
        let put = |(mut file, path): (NamedTempFile, PathBuf), bytes: &[u8]| -> damctl::error::Result<()> {
            let doing = || format!("cannot write {}", path.display());
            file.write_all(bytes).and_then(|()| file.as_file().sync_all()).doing(doing)?;
            file.persist_noclobber(&path).map(drop).map_err(|e| e.error).doing(doing)
        };
        put(self.document, document)?;
        if let (Some(file), Some(bytes)) = (self.signature, signature) {
            put(file, &bytes)?;
        }
        Ok(())
    }
}
