//! `damctl export`: what the archive has, in the forms of others.

use std::{ffi::OsStr, path::Path, time::Duration};

use anyhow::Result;
use damctl::{
    catalog::Catalog,
    digest::Algorithm,
    error::{Doing, Error},
    export::{self, Bag, Fault, Form, Handed, Means, Payload, Profile},
    model::AssetId,
    stop::Stop,
};
use indicatif::HumanBytes;

use super::{Archive, Verdict, drives, print};
use crate::cli::{BagAlgorithm, BagitArgs, ExportCommand, TableForm};

/// The longest time that addresses can be good for.
const LONGEST_MS: i64 = 7 * 24 * 3_600_000;

pub fn run(command: &ExportCommand, open: &dyn Fn() -> Result<Archive>, stop: &Stop) -> Result<Verdict> {
    let mut line = |text: &str| -> damctl::error::Result<()> {
        stop.check()?;
        print(text);
        Ok(())
    };
    match command {
        ExportCommand::Bagit(args) => return bagit(args, &open()?, stop),
        #[cfg(feature = "download")]
        ExportCommand::Validate { bag, profile, own_profile, from, json } => {
            let text = match (profile, own_profile) {
                (None, true) => Some(export::document(&export::profile_of(bag, stop)?, from, stop)?),
                (profile, _) => profile.as_deref().map(read).transpose()?,
            };
            return validate(bag, text.as_deref(), *json, stop);
        }
        #[cfg(not(feature = "download"))]
        ExportCommand::Validate { bag, profile, json } => {
            return validate(bag, profile.as_deref().map(read).transpose()?.as_deref(), *json, stop);
        }
        #[cfg(feature = "download")]
        ExportCommand::Fetch { bag, from } => return fetch(bag, from, stop),
        ExportCommand::Premis { asset } => print(export::premis(&open()?.catalog()?, *asset)?.trim_end()),
        ExportCommand::Mhl { what, to, copy } => return mhl(what, to, means(*copy), &open()?, stop),
        ExportCommand::Sums { area, collection } => {
            let catalog = open()?.catalog()?;
            let count = export::sums(&catalog, *area, collection.as_deref(), &mut line)?;
            if let (Some(name), 0) = (collection, count) {
                return Err(Error::not_found(format!("nothing is in the collection '{name}'")).into());
            }
        }
        ExportCommand::Catalog { format } => {
            let form = match format {
                TableForm::Csv => Form::Csv,
                TableForm::Json => Form::Json,
            };
            export::table(&open()?.catalog()?, form, &mut line)?;
        }
        ExportCommand::Manifest { asset } => {
            print(serde_json::to_string_pretty(&export::manifest(&open()?.catalog()?, *asset)?)?);
        }
    }
    Ok(Verdict::Done)
}

fn means(copy: bool) -> Means {
    if copy { Means::Copy } else { Means::Share }
}

fn bagit(args: &BagitArgs, archive: &Archive, stop: &Stop) -> Result<Verdict> {
    if args.valid > LONGEST_MS || args.valid <= 0 {
        return Err(Error::invalid("addresses are good for 7 days at most").into());
    }
    let payload = match args.holey {
        true => Payload::Addresses(Duration::from_millis(args.valid.unsigned_abs())),
        false => Payload::Inside(means(args.copy)),
    };
    let algorithm = match args.algorithm {
        BagAlgorithm::Sha256 => Algorithm::Sha256,
        BagAlgorithm::Sha512 => Algorithm::Sha512,
    };
    let bag = Bag { assets: &args.asset, algorithm, payload, profile: args.profile.as_deref() };
    let catalog = archive.catalog()?;
    args.asset.iter().try_for_each(|asset| catalog.must_be_readable(*asset))?;
    let (files, bytes) = export::bag(&catalog, &*archive.store()?, &bag, &args.to, stop)?;
    let is_here = if args.holey { "to be fetched" } else { "in it" };
    print(format_args!("{}: {files} file(s) {is_here}, {}", args.to.display(), HumanBytes(bytes)));
    Ok(Verdict::Done)
}

fn read(file: &Path) -> damctl::error::Result<Vec<u8>> {
    std::fs::read(file).doing(|| format!("cannot read {}", file.display()))
}

fn show(what: &str, f: &Fault) {
    let path = if f.path.is_empty() { String::new() } else { format!("{}: ", f.path) };
    print(format_args!("{what}: {path}{} ({})", f.detail, f.code));
}

#[cfg(feature = "download")]
fn fetch(bag: &Path, from: &[String], stop: &Stop) -> Result<Verdict> {
    let came = export::fetch(bag, from, stop, &|text| print(text))?;
    came.faults.iter().for_each(|f| show("failed", f));
    print(format_args!("{}: {} file(s) fetched, {}", bag.display(), came.files, HumanBytes(came.bytes)));
    Ok(if came.faults.is_empty() { Verdict::Done } else { Verdict::SomeFailed })
}

fn validate(bag: &Path, profile: Option<&[u8]>, json: bool, stop: &Stop) -> Result<Verdict> {
    let found = match profile {
        Some(text) => export::validate_by(bag, &Profile::parse(text)?, stop)?,
        None => export::validate(bag, stop)?,
    };
    if json {
        print(serde_json::to_string_pretty(&found)?);
    } else {
        found.faults.iter().for_each(|f| show("invalid", f));
        found.warnings.iter().for_each(|f| show("warning", f));
        let verdict = if found.faults.is_empty() { "valid" } else { "not valid" };
        let version = found.version.as_deref().unwrap_or("?");
        print(format_args!("{verdict}: BagIt {version}, {} file(s), {}", found.files, HumanBytes(found.bytes)));
    }
    Ok(if found.faults.is_empty() { Verdict::Done } else { Verdict::SomeFailed })
}

/// The files of an asset, or those of a drive that are in the archive, by their paths.
fn handed(what: &OsStr, catalog: &Catalog) -> Result<Vec<Handed>> {
    let asset = what.to_str().and_then(|t| t.parse::<AssetId>().ok());
    if let Some(asset) = asset
        && catalog.has_asset(asset)?
    {
        return Ok(catalog.asset(asset)?.masters.iter().map(Handed::of).collect());
    }
    let drive = drives::find(catalog, what)?;
    let mut all: Vec<Handed> = Vec::new();
    let digests = catalog.accounts(drive.id)?.into_iter().filter_map(|account| account.sighting.digest);
    let archived = catalog.archived_among(&digests.collect::<Vec<_>>())?;
    let away = archived.values().filter(|a| !a.is_readable()).count();
    if away > 0 {
        return Err(Error::archived(format!("what {away} file(s) of the drive hold")).into());
    }
    for account in catalog.accounts(drive.id)? {
        if let (Some(digest), Some(kept)) = (account.sighting.digest, account.kept) {
            let modified = account.sighting.mtime_ns.div_euclid(1_000_000);
            all.push(Handed::seen(&account.sighting.path.to_string(), kept.key, (digest, kept.bytes), modified));
        }
    }
    all.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(all)
}

fn mhl(what: &OsStr, to: &Path, means: Means, archive: &Archive, stop: &Stop) -> Result<Verdict> {
    let catalog = archive.catalog()?;
    if let Some(asset) =
        what.to_str().and_then(|t| t.parse::<AssetId>().ok()).filter(|a| catalog.has_asset(*a).is_ok_and(|is| is))
    {
        catalog.must_be_readable(asset)?;
    }
    let files = handed(what, &catalog)?;
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let listed = export::mhl(&catalog, &*archive.store()?, (&files, means), to, (&host, stop))?;
    listed.failed.iter().for_each(|path| print(format_args!("failed: {path}: its bytes are not the archive's")));
    print(format_args!("{}: generation {}, {} file(s)", listed.name, listed.generation, listed.files));
    Ok(if listed.failed.is_empty() { Verdict::Done } else { Verdict::SomeFailed })
}
