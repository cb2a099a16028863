//! `damctl status`: what the archive holds, and what is being done.

use anyhow::Result;
use indicatif::HumanBytes;
use serde_json::json;

use super::{Archive, Verdict, print};
use crate::cli::StatusArgs;

pub fn run(args: &StatusArgs, archive: &Archive) -> Result<Verdict> {
    let catalog = archive.catalog()?;
    let (assets, renditions) = (catalog.asset_counts()?, catalog.rendition_counts()?);
    let (sightings, jobs) = (catalog.sighting_counts()?, catalog.job_counts()?);
    let arrivals = catalog.arrival_counts()?;
    if args.json {
        let assets: Vec<_> =
            assets.iter().map(|(kind, count, bytes)| json!({"kind": kind, "assets": count, "bytes": bytes})).collect();
        let renditions: Vec<_> =
            renditions.iter().map(|(entry, count)| json!({"entry": entry, "renditions": count})).collect();
        let sightings: Vec<_> =
            sightings.iter().map(|(outcome, count)| json!({"outcome": outcome, "paths": count})).collect();
        let jobs: Vec<_> =
            jobs.iter().map(|(stage, state, count)| json!({"stage": stage, "state": state, "jobs": count})).collect();
        let arrivals: Vec<_> =
            arrivals.iter().map(|(state, count)| json!({"state": state, "arrivals": count})).collect();
        print(json!({
            "assets": assets, "renditions": renditions, "sightings": sightings, "jobs": jobs, "arrivals": arrivals,
        }));
        return Ok(Verdict::Done);
    }
    print(format_args!("archive    {}", archive.settings.root.display()));
    for (kind, count, bytes) in assets {
        print(format_args!("assets     {:<12} {count:>8}  {}", kind.as_str(), HumanBytes(bytes)));
    }
    for (outcome, count) in sightings {
        print(format_args!("paths      {:<12} {count:>8}", outcome.as_str()));
    }
    for (entry, count) in renditions {
        print(format_args!("renditions {entry:<12} {count:>8}"));
    }
    for (state, count) in arrivals {
        print(format_args!("arrivals   {:<12} {count:>8}", state.as_str()));
    }
    for (stage, state, count) in jobs {
        print(format_args!("jobs       {:<12} {count:>8}  {}", stage.as_str(), state.as_str()));
    }
    Ok(Verdict::Done)
}
