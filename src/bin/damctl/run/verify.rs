//! `damctl verify`: stored objects against the catalog.

use anyhow::Result;
use damctl::{
    stop::Stop,
    tend::{self, Finding, Level, Verify},
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
    let what = Verify { only: &args.asset, level, workers: archive.settings.readers()? };
    let verified = tend::verify(&catalog, &*store, &what, stop, &|key, finding| {
        let outcome = if *finding == Finding::Missing { "missing" } else { "damaged" };
        let detail = finding.to_string();
        reporter.report(&Event::Item { what: key.as_str(), outcome, detail: Some(&detail) });
        print(format_args!("{outcome}: {key}: {detail}"));
    })?;
    print(format_args!(
        "{} objects, {} read: {} sound, {} not",
        verified.objects,
        HumanBytes(verified.bytes),
        verified.objects - verified.bad,
        verified.bad
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
