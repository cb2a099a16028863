//! `damctl ingest`: drives into the archive, every path accounted for.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsStr,
    fs::File,
    io::{BufWriter, Read, Write},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use damctl::{
    error::{Doing, Error},
    ingest::{Found, Ingest, Selection, Survey, survey_selected},
    model::{Outcome, RawPath, Role, Sighting, Stage},
    pace::Pace,
    stop::Stop,
    store::ocfl,
    work::{self, Drain, Event, Reporter, Summary, Until},
};
use indicatif::HumanBytes;
use serde::Serialize;

use super::{Archive, Verdict, bag::Bags, print, tell_swept, verdict};
use crate::cli::IngestArgs;

/// Of each outcome, so many paths are named; the report has all.
const NAMED: usize = 50;

pub fn run(args: &IngestArgs, archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    let catalog = archive.catalog()?;
    let planned_at = catalog.now()?;
    let only = args.files_from.as_deref().map(read_list).transpose()?;
    let selection = Selection::new(&args.exclude, &args.include, only)?;
    let mut surveys = Vec::new();
    let selection = selection.without(archive.own_places()?).again(args.reread);
    let mut bags = Bags::open(args, stop)?;
    if bags.are_refused() {
        return Ok(Verdict::SomeFailed);
    }
    for path in bags.places(args) {
        surveys.push(survey_selected(&catalog, &path, &selection, stop)?);
    }
    bags.check(&mut surveys, stop)?;
    if bags.are_refused() {
        return Ok(Verdict::SomeFailed);
    }
    bags.hint(args, reporter);
    // Of several places, a name may be below any.
    let absent = surveys.first().map_or(Vec::new(), |s| s.absent.clone());
    let absent: Vec<_> = absent.into_iter().filter(|name| surveys.iter().all(|s| s.absent.contains(name))).collect();
    if args.dry_run {
        surveys.iter().for_each(show_plan);
        show_absent(args, &absent);
        return Ok(if absent.is_empty() { Verdict::Done } else { Verdict::SomeFailed });
    }
    // Opened before the work, so that a mistake in the name does not cost a day.
    let report = args.report.as_deref().map(create).transpose()?;
    let (store, spool, child) = (archive.store()?, archive.spool()?, archive.child()?);
    tell_swept(&spool, reporter);
    ocfl::declare_root(&*store)?;
    let stage = Ingest { catalog: &catalog, store: &*store, child: &child, spool: &spool };
    let pace = args.max_rate.map(|rate| Arc::new(Pace::new(rate)));
    let deadline = match args.for_time {
        Some(time) => Some(catalog.now()?.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))),
        None => None,
    };
    let until = deadline.map_or(Until::Empty, Until::Deadline);
    work::bury_the_dead(&catalog, Stage::Ingest, reporter)?;
    let mut total = Summary::default();
    let mut left = 0;
    for (at, survey) in surveys.iter().enumerate() {
        if stop.is_tripped() || total.paused.is_some() {
            break;
        }
        catalog.see_drive(&survey.drive)?;
        catalog.record_sightings(&survey.settled())?;
        catalog.forget_sightings(survey.drive.id, &survey.gone)?;
        let wanted = survey.wanted(args.collection.as_deref().or(bags.collection(at)));
        let mut enqueued = catalog.enqueue_planned(&wanted, planned_at)?;
        let scope = survey.scope.clone();
        // Whoever gives the command again has done something about what failed.
        if catalog.retry(&enqueued.failed)? > 0 {
            enqueued = catalog.enqueue_planned(&wanted, planned_at)?;
        }
        catalog.withdraw_others(Stage::Ingest, &scope, &enqueued.open, planned_at)?;
        if survey.is_whole {
            catalog.surveyed(survey.drive.id)?;
        }
        let bytes = survey.new_sources().map(|s| s.bytes).sum();
        reporter.report(&Event::Planned { stage: Stage::Ingest, jobs: enqueued.open.len(), bytes: Some(bytes) });
        let how = Drain { until, pace: pace.clone(), ..archive.drain(scope)? };
        let summary = work::drain(&catalog, &stage, &how, reporter, stop)?;
        left += catalog.not_ended(&enqueued.open)?;
        total.done += summary.done;
        total.released += summary.released;
        total.failed.extend(summary.failed);
        total.paused = total.paused.or(summary.paused);
    }
    bags.describe(args, &catalog, &surveys)?;
    super::record(&catalog, &*store, reporter, stop);
    let (mut unreadable, mut differs, mut pending) = (false, false, 0);
    let mut lines = Vec::new();
    for survey in &surveys {
        let known = catalog.known_sightings(survey.drive.id)?;
        let accounts = account(survey, &known);
        pending += accounts.iter().filter(|a| a.outcome == "pending").count();
        unreadable |= accounts.iter().any(|a| a.outcome == "unreadable");
        show_account(survey, &accounts);
        show_twins(survey, &accounts);
        differs |= show_reread(survey, &known);
        lines.extend(accounts);
    }
    if let (Some(file), Some(path)) = (report, &args.report) {
        write_report(file, &lines).with_context(|| format!("cannot write {}", path.display()))?;
    }
    show_absent(args, &absent);
    let is_named = !total.failed.is_empty();
    let verdict = match verdict(Stage::Ingest, total, &[], reporter, stop) {
        Verdict::Done if unreadable || differs || !absent.is_empty() => Verdict::SomeFailed,
        other => other,
    };
    if let (Some(time), Some(at)) = (args.for_time, deadline)
        && pending > 0
        && catalog.now()? >= at
    {
        let message = format!("the time ({time:#}) is up: {pending} path(s) are left");
        return Ok(Verdict::Paused(Error::paused(message).hint("run the same command again to go on")));
    }
    if args.reread && left > 0 && matches!(verdict, Verdict::Done | Verdict::SomeFailed) && !is_named {
        let message = format!("{left} job(s) are left: not everything was read again");
        return Ok(Verdict::Paused(Error::paused(message).hint("run the same command again: it begins anew")));
    }
    // What failed was named, with its paths; what nobody has named yet is another command's.
    Ok(if is_named { verdict } else { verdict.unless_left(pending, "path(s)") })
}

/// The paths that a file lists, one on a line.
fn read_list(file: &Path) -> Result<Vec<PathBuf>> {
    let mut bytes = Vec::new();
    let reading = || format!("cannot read the list {}", file.display());
    match file == Path::new("-") {
        true => std::io::stdin().lock().read_to_end(&mut bytes).doing(reading)?,
        false => File::open(file).and_then(|mut f| f.read_to_end(&mut bytes)).doing(reading)?,
    };
    let lines = bytes.split(|b| *b == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l)).filter(|l| !l.is_empty());
    Ok(lines.map(|l| PathBuf::from(OsStr::from_bytes(l))).collect())
}

fn create(path: &Path) -> damctl::error::Result<File> {
    File::create(path).doing(|| format!("cannot write the report {}", path.display()))
}

/// What became of one path.
#[derive(Serialize)]
struct Account {
    drive: String,
    path: RawPath,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    asset: Option<String>,
    /// Whether it was dealt with before this run.
    unchanged: bool,
}

fn account(survey: &Survey, known: &HashMap<RawPath, Sighting>) -> Vec<Account> {
    let drive = survey.drive.id.to_string();
    let each = |found: &Found| {
        let (path, unchanged) = (found.path().clone(), matches!(found, Found::Unchanged(..)));
        let settled = match found {
            // It counts only if what is known is of these very bytes, or why they could not be read.
            Found::New(source) => {
                known.get(&path).filter(|k| source.is_settled_by(k) || k.outcome == Outcome::Unreadable)
            }
            _ => known.get(&path),
        };
        match settled {
            Some(k) => Account {
                drive: drive.clone(),
                path,
                outcome: k.outcome.as_str(),
                detail: k.detail.clone(),
                bytes: k.bytes,
                asset: k.asset.map(|a| a.to_string()),
                unchanged,
            },
            None => Account {
                drive: drive.clone(),
                path,
                outcome: "pending",
                detail: Some("not dealt with yet: run the same command again".to_owned()),
                bytes: 0,
                asset: None,
                unchanged,
            },
        }
    };
    survey.found.iter().map(each).collect()
}

fn show_account(survey: &Survey, accounts: &[Account]) {
    let root = survey.drive.root.under(Path::new("/"));
    if accounts.iter().all(|a| a.unchanged) {
        print(format_args!("{}: nothing to do: all {} paths are as they were", root.display(), accounts.len()));
    } else {
        print(format_args!("{}: {} paths", root.display(), accounts.len()));
    }
    let mut by_outcome: BTreeMap<&str, Vec<&Account>> = BTreeMap::new();
    for a in accounts {
        by_outcome.entry(a.outcome).or_default().push(a);
    }
    let order = Outcome::ALL.map(Outcome::as_str);
    for outcome in order.into_iter().chain(["pending"]) {
        let Some(list) = by_outcome.get(outcome) else { continue };
        let bytes: u64 = list.iter().map(|a| a.bytes).sum();
        print(format_args!("{:>8} {outcome:<11} {}", list.len(), HumanBytes(bytes)));
        // A run with nothing new names only what needs somebody's attention.
        if list.iter().all(|a| a.unchanged) && !matches!(outcome, "unreadable" | "pending") {
            continue;
        }
        let worth_naming = |a: &&&Account| outcome != "stored" || a.detail.is_some();
        let named: Vec<&&Account> = list.iter().filter(worth_naming).collect();
        for a in named.iter().take(NAMED) {
            let why = match (a.outcome, &a.asset, &a.detail) {
                ("duplicate", Some(asset), _) => format!("the same bytes as asset {asset}"),
                (_, _, detail) => detail.clone().unwrap_or_default(),
            };
            print(format_args!("{:>12}{}: {why}", "", a.path));
        }
        if named.len() > NAMED {
            print(format_args!("{:>12}… and {} more (--report FILE names all)", "", named.len() - NAMED));
        }
    }
}

/// Names that another system would take for one another: both are kept, but a copy of the drive elsewhere may lose one.
fn show_twins(survey: &Survey, accounts: &[Account]) {
    let twins = survey.twins();
    if twins.is_empty() || accounts.iter().all(|a| a.unchanged) {
        return;
    }
    print(format_args!(
        "{:>8} names are like another but for case or composition; all are kept as they are",
        twins.len()
    ));
    for (path, other) in twins.iter().take(NAMED) {
        print(format_args!("{:>12}{path} and {other}", ""));
    }
}

/// Names what the list of files names and is not there.
fn show_absent(args: &IngestArgs, absent: &[RawPath]) {
    let places = args.paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(" and ");
    for name in absent {
        print(format_args!("failed: the list names {name}: there is nothing of that name below {places}"));
    }
}

/// Names files that were read again and hold other bytes than are recorded; says whether there are any.
fn show_reread(survey: &Survey, known: &HashMap<RawPath, Sighting>) -> bool {
    let again = survey.new_sources().filter(|s| s.again);
    let each = again.filter_map(|s| Some((&s.path, s.replaces?, known.get(&s.path)?.digest?)));
    let read: Vec<_> = each.collect();
    let others: Vec<_> = read.iter().filter(|(_, was, is)| was != is).collect();
    if !read.is_empty() {
        print(format_args!("{:>8} read again hold the bytes that are recorded", read.len() - others.len()));
    }
    if !others.is_empty() {
        print(format_args!("{:>8} hold others, though their sizes and times are the same", others.len()));
    }
    for (path, was, is) in &others {
        print(format_args!("{:>12}{path}: SHA-256 is {is}, and was {was}", ""));
    }
    !others.is_empty()
}

fn show_plan(survey: &Survey) {
    for found in &survey.found {
        if let Found::Settled(s) = found {
            let why = s.detail.as_deref().unwrap_or_default();
            print(format_args!("{:<11} {}: {why}", s.outcome.as_str(), s.path));
        }
    }
    for (path, bytes, role) in survey.planned().into_iter().flatten() {
        let what = if role == Role::Main { "read".to_owned() } else { format!("  {}", role.as_str()) };
        print(format_args!("{what:<11} {path} ({})", HumanBytes(bytes)));
    }
    let unchanged = survey.found.iter().filter(|f| matches!(f, Found::Unchanged(..))).count();
    let bytes: u64 = survey.new_sources().map(|s| s.bytes).sum();
    print(format_args!(
        "would read {} files, {}; {unchanged} paths are as they were",
        survey.new_sources().count(),
        HumanBytes(bytes)
    ));
}

fn write_report(file: File, lines: &[Account]) -> Result<()> {
    let mut out = BufWriter::new(file);
    for line in lines {
        serde_json::to_writer(&mut out, line)?;
        out.write_all(b"\n")?;
    }
    out.into_inner()?.sync_all()?;
    Ok(())
}
