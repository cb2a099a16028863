//! `damctl status`: what the archive holds, and what is being done.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    io::{IsTerminal, Write as _},
    os::unix::fs::PermissionsExt,
    path::Path,
    time::Duration,
};

use anyhow::Result;
use damctl::{
    catalog::{ArchiveState, Catalog, Census, Feed, Pending},
    error::Doing,
    model::{JobState, MediaKind, Stage},
    stop::Stop,
    tend,
};
use indicatif::{HumanBytes, HumanDuration};
use serde_json::json;

use super::{Archive, Verdict, print};
use crate::cli::StatusArgs;

/// Beside the file first, so that nobody ever reads half of it.
fn textfile(file: &Path, catalog: &Catalog) -> Result<Verdict> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let doing = || format!("cannot write {}", file.display());
    let mut staged = tempfile::NamedTempFile::new_in(dir).doing(doing)?;
    staged.write_all(tend::metrics(catalog)?.as_bytes()).doing(doing)?;
    // The exporter is another user.
    staged.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).doing(doing)?;
    staged.persist(file).map_err(|e| e.error).doing(doing)?;
    Ok(Verdict::Done)
}

fn watch(seconds: u64, json: bool, catalog: &Catalog, stop: &Stop) -> Result<Verdict> {
    while !stop.is_tripped() {
        let census = catalog.census(LATELY_MS)?;
        match json {
            true => print(serde_json::to_string(&census)?),
            false => {
                if std::io::stdout().is_terminal() {
                    // Home, and clear what is below.
                    print(format_args!("\u{1b}[H\u{1b}[2J{}", table(&census)));
                } else {
                    print(table(&census));
                }
            }
        }
        for _ in 0..seconds * 10 {
            if !stop.is_tripped() {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
    Ok(Verdict::Stopped)
}

fn table(census: &Census) -> String {
    let mut text = format!(
        "{:<11}{:>9}{:>9}{:>9}{:>9}{:>9}  {}\n",
        "stage", "ready", "leased", "done", "failed", "a minute", "left"
    );
    let stages: BTreeSet<Stage> = census.jobs.iter().map(|(stage, _, _)| *stage).collect();
    for stage in stages {
        let count = |state| census.jobs.iter().find(|(s, st, _)| (*s, *st) == (stage, state)).map_or(0, |(_, _, n)| *n);
        let states = [JobState::Ready, JobState::Leased, JobState::Done, JobState::Failed].map(count);
        let done = census.paces.iter().find(|p| p.stage == stage).and_then(|p| p.results.get("done")).copied();
        let left = match (census.open(stage), census.left_ms(stage)) {
            (0, _) => String::new(),
            (_, Some(ms)) => format!("about {}", HumanDuration(Duration::from_millis(ms as u64))),
            (_, None) => "nothing done lately".to_owned(),
        };
        let [ready, leased, finished, failed] = states;
        let done = done.unwrap_or(0);
        writeln!(text, "{:<11}{ready:>9}{leased:>9}{finished:>9}{failed:>9}{done:>9}  {left}", stage.as_str()).ok();
    }
    for w in &census.workers {
        let heard = HumanDuration(Duration::from_millis(w.heard_ms as u64));
        let lost = if w.is_lost { ", lost" } else { "" };
        writeln!(text, "worker     {}  {} {}, heard of {heard} ago{lost}", w.worker, w.jobs, w.stage).ok();
    }
    for feed in &census.feeds {
        writeln!(text, "hears      {}", heard(feed, census.last_event)).ok();
    }
    for r in census.reasons.iter().take(10) {
        writeln!(text, "failed     {:>6}  {}  {}", r.jobs, r.stage, r.why).ok();
    }
    text
}

/// How far a subscriber is behind, and why.
fn heard(feed: &Feed, last: i64) -> String {
    let why = feed.error.as_ref().map(|e| format!(": {e}")).unwrap_or_default();
    match last - feed.seq {
        ..=0 => format!("{}  all{why}", feed.name),
        behind => format!("{}  {behind} behind{why}", feed.name),
    }
}

/// How far back throughput is looked at (ms).
const LATELY_MS: i64 = 60_000;

/// The profile's entries that are wanted of some masters only: their names, of which kind, and when.
fn conditions(archive: &Archive) -> Vec<(String, MediaKind, String)> {
    // A profile that cannot be read is told by what needs it.
    let Ok(profile) = archive.profile() else { return Vec::new() };
    let of = |kind: MediaKind| {
        let entries = profile.wanted(kind).iter();
        entries.filter_map(move |e| Some((e.name.clone(), kind, e.when.as_ref()?.to_string()))).collect::<Vec<_>>()
    };
    MediaKind::ALL.into_iter().flat_map(of).collect()
}

/// Generations that wait, and why one will wait for ever if nobody does anything.
fn waiting(catalog: &Catalog) -> Result<Vec<(Pending, Option<String>)>> {
    let mut all = Vec::new();
    for p in catalog.pending(None)? {
        let failed = catalog.failed_jobs_of(Stage::Transcode, &p.master)?;
        let why = failed.into_iter().find_map(|job| job.error).map(|e| e.message);
        all.push((p, why));
    }
    Ok(all)
}

pub fn run(args: &StatusArgs, archive: &Archive, stop: &Stop) -> Result<Verdict> {
    let catalog = archive.catalog()?;
    if let Some(file) = &args.textfile {
        return textfile(file, &catalog);
    }
    if let Some(seconds) = args.watch {
        return watch(seconds, args.json, &catalog, stop);
    }
    let (assets, renditions) = (catalog.asset_counts()?, catalog.rendition_counts()?);
    let (sightings, jobs) = (catalog.sighting_counts()?, catalog.job_counts()?);
    let arrivals = catalog.arrival_counts()?;
    let (feeds, last) = (catalog.feeds()?, catalog.last_event()?);
    let archived = catalog.archived_counts()?;
    let when = conditions(archive);
    let waits = waiting(&catalog)?;
    if args.json {
        let assets: Vec<_> =
            assets.iter().map(|(kind, count, bytes)| json!({"kind": kind, "assets": count, "bytes": bytes})).collect();
        let renditions: Vec<_> =
            renditions.iter().map(|(entry, count)| json!({"entry": entry, "renditions": count})).collect();
        let when: Vec<_> =
            when.iter().map(|(entry, kind, when)| json!({"entry": entry, "of": kind, "when": when})).collect();
        let sightings: Vec<_> =
            sightings.iter().map(|(outcome, count)| json!({"outcome": outcome, "paths": count})).collect();
        let jobs: Vec<_> =
            jobs.iter().map(|(stage, state, count)| json!({"stage": stage, "state": state, "jobs": count})).collect();
        let arrivals: Vec<_> =
            arrivals.iter().map(|(state, count)| json!({"state": state, "arrivals": count})).collect();
        print(json!({
            "assets": assets, "renditions": renditions, "sightings": sightings, "jobs": jobs, "arrivals": arrivals,
            "last_event": last, "feeds": feeds, "wanted_when": when,
            "archive": archived.iter().map(|(state, count, bytes)| json!({"state": state, "masters": count, "bytes": bytes})).collect::<Vec<_>>(),
            "pending": waits.iter().map(|(p, why)| json!({"generation": p, "failed": why})).collect::<Vec<_>>(),
        }));
        return Ok(Verdict::Done);
    }
    print(format_args!("archive    {}", archive.settings.root.display()));
    for (kind, count, bytes) in assets {
        print(format_args!("assets     {:<12} {count:>8}  {}", kind.as_str(), HumanBytes(bytes)));
    }
    for (state, count, bytes) in archived {
        let what = match state {
            ArchiveState::Archiving => "  ('damctl archive' again ends it)",
            ArchiveState::Readable => "  of the archive",
            ArchiveState::Restoring | ArchiveState::Archived => "",
        };
        print(format_args!("masters    {:<12} {count:>8}  {}{what}", state.as_str(), HumanBytes(bytes)));
    }
    for (outcome, count) in sightings {
        print(format_args!("paths      {:<12} {count:>8}", outcome.as_str()));
    }
    for (entry, count) in renditions {
        print(format_args!("renditions {entry:<12} {count:>8}"));
    }
    for (entry, kind, when) in &when {
        print(format_args!("wanted     {entry:<12} of {kind} masters only when {when}"));
    }
    for (state, count) in arrivals {
        print(format_args!("arrivals   {:<12} {count:>8}", state.as_str()));
    }
    for (p, why) in &waits {
        let why = why.as_ref().map(|why| format!("; it stays as it is: {why}")).unwrap_or_default();
        let missing = p.missing.join(", ");
        print(format_args!("replacing  {} by generation {}, which lacks {missing}{why}", p.asset, p.generation));
    }
    for (stage, state, count) in jobs {
        print(format_args!("jobs       {:<12} {count:>8}  {}", stage.as_str(), state.as_str()));
    }
    for feed in &feeds {
        print(format_args!("hears      {}", heard(feed, last)));
    }
    Ok(Verdict::Done)
}
