//! `damctl store`: what is asked of its buckets, and what it takes.

use std::collections::BTreeMap;

use anyhow::Result;
use damctl::catalog::{Amount, Share};
use indicatif::HumanBytes;
use serde_json::json;

use super::{Archive, Verdict, print};
use crate::cli::StoreCommand;

pub fn run(command: &StoreCommand, archive: &Archive) -> Result<Verdict> {
    match command {
        StoreCommand::Policy { apply } => policy(*apply, archive),
        StoreCommand::Usage { json } => usage(*json, archive),
    }
}

#[cfg(feature = "s3")]
fn policy(apply: bool, archive: &Archive) -> Result<Verdict> {
    use damctl::{error::Error, store::S3Store};
    if archive.settings.bucket("store")?.is_none() {
        return Err(Error::unsupported("this archive's store is a folder: it has no policy to set")
            .hint("buckets have: 'store: s3://BUCKET/PREFIX'")
            .into());
    }
    let (store, wish) = (S3Store::open(archive.settings.s3()?)?, archive.settings.wish()?);
    let differs = store.differences(&wish)?;
    for d in &differs {
        let removes = d.removes.as_ref().map(|r| format!("; removes {r}")).unwrap_or_default();
        print(format_args!("{} {}: {} -> {}{removes}", d.bucket, d.what, d.is, d.wanted));
    }
    match (differs.len(), apply) {
        (0, _) => print(format_args!("nothing to do: the buckets are as they are wanted")),
        (n, false) => print(format_args!("{n} difference(s): 'damctl store policy --apply' makes them so")),
        (n, true) => {
            store.apply(&wish)?;
            // What a server has taken is not yet what it does.
            let left = store.differences(&wish)?;
            for d in &left {
                print(format_args!("still not so: {} {}: {}", d.bucket, d.what, d.is));
            }
            print(format_args!("{} of {n} difference(s) set", n - left.len().min(n)));
            return Ok(if left.is_empty() { Verdict::Done } else { Verdict::SomeFailed });
        }
    }
    Ok(Verdict::Done)
}

#[cfg(not(feature = "s3"))]
fn policy(_: bool, _: &Archive) -> Result<Verdict> {
    Err(damctl::error::Error::unsupported("this program was built without S3 ('s3')").into())
}

fn usage(json: bool, archive: &Archive) -> Result<Verdict> {
    let all = archive.catalog()?.usage()?;
    if json {
        for (share, amount) in &all {
            print(json!({"area": share.area, "collection": share.collection, "entry": share.entry,
                "month": share.month, "objects": amount.objects, "bytes": amount.bytes}));
        }
        return Ok(Verdict::Done);
    }
    let by = |what: &str, of: &dyn Fn(&Share) -> Option<String>| {
        let mut sums: BTreeMap<String, Amount> = BTreeMap::new();
        for (share, amount) in all.iter().filter_map(|(share, amount)| Some((of(share)?, amount))) {
            let sum = sums.entry(share).or_default();
            sum.objects += amount.objects;
            sum.bytes += amount.bytes;
        }
        for (name, sum) in sums {
            let bytes = HumanBytes(sum.bytes).to_string();
            print(format_args!("{what:<11} {name:<24} {:>10}  {bytes:>12}", sum.objects));
        }
    };
    by("area", &|s| Some(s.area.to_owned()));
    by("collection", &|s| Some(s.collection.clone().unwrap_or_else(|| "-".to_owned())));
    by("entry", &|s| s.entry.clone());
    by("month", &|s| Some(s.month.clone()));
    Ok(Verdict::Done)
}
