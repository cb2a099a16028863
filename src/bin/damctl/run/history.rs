//! `damctl history`: what became of an asset, and whether the record of it is whole.

use anyhow::Result;

use super::{Archive, Verdict, print};
use crate::cli::HistoryArgs;

/// Events of one asset that are shown.
const MOST: i64 = 10_000;

pub fn run(args: &HistoryArgs, archive: &Archive) -> Result<Verdict> {
    let catalog = archive.catalog()?;
    let Some(asset) = args.asset else {
        catalog.seal_events()?;
        let proof = catalog.prove_events(args.seal.as_ref())?;
        if args.json {
            print(format_args!("{}", serde_json::to_string(&proof)?));
        } else {
            proof.findings.iter().for_each(|finding| print(format_args!("{finding}")));
            if args.seal.is_none() {
                print(format_args!(
                    "what was removed from the end together with its seals shows only against a seal that was kept elsewhere"
                ));
            }
            let seal = proof.last.map_or_else(|| "none".to_owned(), |seal| seal.to_string());
            print(format_args!(
                "{} event(s), {} finding(s); the last seal is {seal}",
                proof.events,
                proof.findings.len()
            ));
        }
        return Ok(if proof.findings.is_empty() { Verdict::Done } else { Verdict::SomeFailed });
    };
    catalog.asset(asset)?;
    for event in catalog.history_of(&asset.to_string(), MOST)? {
        if args.json {
            print(format_args!("{}", serde_json::to_string(&event)?));
            continue;
        }
        let at = jiff::Timestamp::from_millisecond(event.at)
            .map_or_else(|_| "?".to_owned(), |t| t.strftime("%Y-%m-%d %H:%M:%S").to_string());
        let detail = match event.detail {
            serde_json::Value::Object(all) => {
                let each = all.into_iter().filter(|(_, v)| !v.is_null());
                let shown = |v: serde_json::Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
                each.map(|(name, value)| format!("{name}={}", shown(value))).collect::<Vec<_>>().join(" ")
            }
            other => other.to_string(),
        };
        print(format_args!("{at}  {:<22} {detail}", event.kind));
    }
    Ok(Verdict::Done)
}
