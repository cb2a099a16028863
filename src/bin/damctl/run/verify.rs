//! `damctl verify`: stored objects against the catalog.

use anyhow::Result;
use damctl::{
    error::{Error, Kind},
    pace::Pace,
    stop::Stop,
    store::structure::{self, Depth},
    tend::{self, Finding, Level, Verify, Which},
    work::{Event, Reporter},
};
use indicatif::HumanBytes;

use super::{Archive, Verdict, print};
use crate::cli::{VerifyArgs, VerifyLevel};

pub fn run(args: &VerifyArgs, archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    let (catalog, store) = (archive.catalog()?, archive.store()?);
    let level = match args.level {
        VerifyLevel::Head => Level::Head,
        VerifyLevel::Sample => Level::Sample,
        VerifyLevel::Full => Level::Full,
    };
    if args.structure {
        let depth = if level == Level::Head { Depth::Names } else { Depth::Bytes };
        let mut faults = 0;
        let objects = structure::check_all(&*store, depth, stop, &mut |key, fault| {
            faults += 1;
            print(format_args!("{key}: {fault}"));
        })?;
        print(format_args!("{objects} objects, {faults} fault(s) by OCFL's specification"));
        return Ok(if faults == 0 { Verdict::Done } else { Verdict::SomeFailed });
    }
    if let Some(key) = &args.history {
        for l in catalog.fixity_of(key)? {
            let at = jiff::Timestamp::from_millisecond(l.at).unwrap_or_default();
            let detail = l.detail.map(|d| format!(": {d}")).unwrap_or_default();
            print(format_args!("{at}  {:<7} {}{detail}", l.level, l.result));
        }
        return Ok(Verdict::Done);
    }
    let of_collection = args.collection.as_deref().map(|name| catalog.assets_in(name)).transpose()?;
    if let (Some(name), Some([])) = (&args.collection, of_collection.as_deref()) {
        return Err(Error::not_found(format!("no asset is in the collection '{name}'")).into());
    }
    // What is damaged is found without them, too.
    let replicas = match archive.replicas() {
        Ok(replicas) => replicas,
        Err(e) => match e.downcast::<Error>() {
            Ok(e) if matches!(e.kind(), Kind::Paused | Kind::Unavailable) => {
                let text = format!("nothing is repaired: {}", e.one_line());
                reporter.report(&Event::Note { text: &text });
                Vec::new()
            }
            Ok(e) => return Err(e.into()),
            Err(e) => return Err(e),
        },
    };
    let pace = args.rate.map(Pace::new);
    let which = Which {
        area: args.area,
        below: args.location.as_deref(),
        older_than_ms: args.older_than,
        share: args.share,
        budget: args.budget,
    };
    let only = of_collection.as_deref().unwrap_or(&args.asset);
    let workers = archive.settings.readers()?;
    let what = Verify { only, level, workers, which, pace: pace.as_ref(), replicas: &replicas };
    let verified = tend::verify(&catalog, &*store, &what, stop, &|key, finding, repaired| {
        let outcome = match finding {
            Finding::Missing => "missing",
            Finding::Copy { .. } => "copy",
            _ => "damaged",
        };
        let repaired = repaired.map(|place| format!("; repaired from {place}")).unwrap_or_default();
        let detail = format!("{finding}{repaired}");
        reporter.report(&Event::Item { what: key.as_str(), outcome, detail: Some(&detail) });
        print(format_args!("{outcome}: {key}: {detail}"));
    })?;
    print(format_args!(
        "{} objects, {} read: {} sound, {} not{}",
        verified.objects,
        HumanBytes(verified.bytes),
        verified.objects - verified.bad,
        verified.bad,
        if verified.repaired > 0 { format!("; {} repaired", verified.repaired) } else { String::new() }
    ));
    if level != Level::Full {
        print(format_args!(
            "read whole: {}; in some places: {}; not read: {}; they have {} in all",
            verified.whole,
            verified.sampled,
            verified.objects - verified.whole - verified.sampled,
            HumanBytes(verified.total)
        ));
    }
    if args.drop {
        tend::drop_lost(&catalog, &*store, &verified.lost)?;
        print(format_args!("{} rendition(s) taken out: 'damctl transcode' makes them again", verified.lost.len()));
    } else if !verified.lost.is_empty() {
        let text = format!(
            "'damctl verify --drop' takes out the {} damaged rendition(s), 'damctl transcode' then makes them again",
            verified.lost.len()
        );
        reporter.report(&Event::Note { text: &text });
    }
    Ok(if verified.bad == 0 { Verdict::Done } else { Verdict::SomeFailed })
}
