//! `damctl replicate`: copies of the masters elsewhere.

use anyhow::Result;
use damctl::{
    error::Error,
    keep::{self, Replicate},
    model::Key,
    pace::Pace,
    stop::Stop,
};
use indicatif::HumanBytes;

use super::{Archive, Verdict, print};
use crate::cli::ReplicateArgs;

pub fn run(args: &ReplicateArgs, archive: &Archive, stop: &Stop) -> Result<Verdict> {
    let (store, replicas) = (archive.store()?, archive.replicas()?);
    if replicas.is_empty() {
        return Err(Error::invalid("this archive has no replicas")
            .hint("the setting 'replicas' names folders and buckets, with commas between them")
            .into());
    }
    let pace = args.rate.map(Pace::new);
    let mut any = false;
    for (place, replica) in &replicas {
        let how = Replicate { verify: args.verify, pace: pace.as_ref() };
        let each = &mut |key: &Key, what: &str| print(format_args!("{place}: {key}: {what}"));
        let done = keep::replicate(&*store, &**replica, how, stop, each)?;
        any |= done.bad > 0;
        print(format_args!(
            "{place}: {} file(s) copied ({}), {} of them in the place of others; {} were there; {} could not be copied",
            done.copied,
            HumanBytes(done.bytes),
            done.replaced,
            done.present,
            done.bad
        ));
        if done.archived > 0 {
            print(format_args!(
                "{place}: {} file(s) are archived and not copied: 'damctl restore' first",
                done.archived
            ));
        }
    }
    Ok(if any { Verdict::SomeFailed } else { Verdict::Done })
}
