//! `damctl transcript`: what is said in an asset, from a file and into one.

use anyhow::Result;
use damctl::{
    digest::Digest,
    error::{Doing, Error},
    model::{AssetId, FindingKind, Findings, Role, Source},
    subtitle,
};

use super::{Archive, Verdict, print};
use crate::cli::{TranscriptCommand, TranscriptForm};

/// Largest file of subtitles.
const LARGEST: u64 = 64 << 20;

pub fn run(command: &TranscriptCommand, archive: &Archive) -> Result<Verdict> {
    let catalog = archive.catalog()?;
    let main = |asset: AssetId| -> Result<Digest> {
        let row = catalog.asset(asset)?;
        let main = row.masters.iter().find(|m| m.role == Role::Main).map(|m| m.digest);
        main.ok_or_else(|| Error::not_found(format!("asset {asset} has no main file")).into())
    };
    match command {
        TranscriptCommand::Import { file, asset, language, track } => {
            let about = || format!("cannot read {}", file.display());
            let size = std::fs::metadata(file).doing(about)?.len();
            if size > LARGEST {
                return Err(Error::invalid(format!("{} has {size} bytes: {LARGEST} at most", file.display())).into());
            }
            let bytes = std::fs::read(file).doing(about)?;
            let items = subtitle::findings(&subtitle::decoded(&bytes)).map_err(|e| {
                Error::invalid(format!("{}: {e}", file.display())).hint("SubRip (.srt) and WebVTT (.vtt) are known")
            })?;
            let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let count = items.len();
            let found = Findings {
                master: main(*asset)?,
                kind: FindingKind::Speech,
                track: *track,
                recipe: Digest::of_fields(&["by hand", &Digest::of(&bytes).to_string()]),
                language: language.clone(),
                source: Source::person(name),
                items,
            };
            catalog.import_findings(*asset, &found, "command line")?;
            print(format_args!("{count} line(s) are what is said in {asset} now: 'damctl index' makes them found"));
        }
        TranscriptCommand::Export { asset, form, track, translation } => {
            let found = catalog.findings_of(&[main(*asset)?])?;
            let (kind, what) = match translation {
                true => (FindingKind::Translation, "translation"),
                false => (FindingKind::Speech, "transcript"),
            };
            let is_wanted = |f: &&Findings| f.kind == kind && track.is_none_or(|n| n == f.track);
            let Some(said) = found.iter().find(is_wanted) else {
                return Err(Error::not_found(format!("asset {asset} has no {what}")).into());
            };
            print(match form {
                TranscriptForm::Vtt => subtitle::vtt(&subtitle::captions(said), None),
                TranscriptForm::Srt => subtitle::srt(&subtitle::captions(said)),
                TranscriptForm::Json => serde_json::to_string_pretty(said)?,
            });
        }
    }
    Ok(Verdict::Done)
}
