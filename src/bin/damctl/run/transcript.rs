//! `damctl transcript`: what is said in an asset, from a file and into one.

use anyhow::Result;
use damctl::{
    digest::Digest,
    error::{Doing, Error},
    model::{AssetId, Finding, FindingKind, Findings, Master, MediaKind, Role, Source},
    profile::is_language,
    subtitle,
};

use super::{Archive, Verdict, print};
use crate::cli::{TranscriptCommand, TranscriptForm};

/// Largest file of subtitles.
const LARGEST: u64 = 64 << 20;

pub fn run(command: &TranscriptCommand, archive: &Archive) -> Result<Verdict> {
    let catalog = archive.catalog()?;
    let main = |asset: AssetId| -> Result<Master> {
        let row = catalog.asset(asset)?;
        let main = row.masters.into_iter().find(|m| m.role == Role::Main);
        main.ok_or_else(|| Error::not_found(format!("asset {asset} has no main file")).into())
    };
    match command {
        TranscriptCommand::Import { file, asset, language, track } => {
            let master = main(*asset)?;
            must_have(*asset, &master, *track)?;
            if let Some(language) = language.as_ref().filter(|l| !is_language(l)) {
                let message = format!("'{language}' is no language");
                return Err(Error::invalid(message).hint("BCP 47 writes es, en or pt-BR").into());
            }
            let about = || format!("cannot read {}", file.display());
            let size = std::fs::metadata(file).doing(about)?.len();
            if size > LARGEST {
                return Err(Error::invalid(format!("{} has {size} bytes: {LARGEST} at most", file.display())).into());
            }
            let bytes = std::fs::read(file).doing(about)?;
            let items = subtitle::findings(&subtitle::decoded(&bytes)).map_err(|e| {
                Error::invalid(format!("{}: {e}", file.display())).hint("SubRip (.srt) and WebVTT (.vtt) are known")
            })?;
            must_fit(&items, &master).map_err(|e| Error::invalid(format!("{}: {e}", file.display())))?;
            let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let count = items.len();
            let found = Findings {
                master: master.digest,
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
            let master = main(*asset)?;
            let found = catalog.findings_of(&[master.digest])?;
            let (kind, what) = match translation {
                true => (FindingKind::Translation, "translation"),
                false => (FindingKind::Speech, "transcript"),
            };
            let is_wanted = |f: &&Findings| f.kind == kind && track.is_none_or(|n| n == f.track);
            let Some(said) = found.iter().find(is_wanted) else {
                return Err(Error::not_found(format!("asset {asset} has no {what}")).into());
            };
            let captions = || subtitle::captions(said, master.facts.duration_ms);
            print(match form {
                TranscriptForm::Vtt => subtitle::vtt(&captions(), None),
                TranscriptForm::Srt => subtitle::srt(&captions()),
                TranscriptForm::Json => serde_json::to_string_pretty(said)?,
            });
        }
        TranscriptCommand::Remove { asset, track } => {
            let master = main(*asset)?.digest;
            let back = catalog.remove_findings(*asset, (&master, FindingKind::Speech, *track), "command line")?;
            let now = match back {
                Some(source) => format!("what {} heard counts again", source.name),
                None => "nothing is known of what is said in it now".to_owned(),
            };
            print(format_args!("the transcript of {asset} is taken away: {now}; 'damctl index' makes that found"));
        }
    }
    Ok(Verdict::Done)
}

/// Refuses a sound track that there is not. A silent film has one: its titles are read.
fn must_have(asset: AssetId, master: &Master, track: u32) -> Result<(), Error> {
    match master.facts.audio.len().max(usize::from(master.facts.kind == MediaKind::Video)) {
        0 => Err(Error::invalid(format!("asset {asset} has no sound: nothing is said in it"))),
        n if track == 0 || track as usize > n => {
            let message = format!("asset {asset} has no sound track {track}: there are {n}");
            Err(Error::invalid(message).hint("they are counted from 1"))
        }
        _ => Ok(()),
    }
}

/// How much later than a recording its last subtitle may end, in milliseconds: lengths are rounded here and there.
const AFTER: u64 = 1_000;

/// Refuses lines of another recording, which end after this one.
fn must_fit(items: &[Finding], master: &Master) -> Result<(), Error> {
    let Some(length) = master.facts.duration_ms else { return Ok(()) };
    let last = items.iter().map(|f| f.to_ms).max().unwrap_or(0);
    if last <= length.saturating_add(AFTER) {
        return Ok(());
    }
    let seconds = |ms: u64| ms as f64 / 1000.0;
    let (last, length) = (seconds(last), seconds(length));
    Err(Error::invalid(format!("it has words until {last:.1} s, and the recording ends after {length:.1} s")))
}
