//! `damctl profile`: checks profiles, and prints what describes them.

use std::path::Path;

use anyhow::Result;
use damctl::{
    enrich::check_models,
    media::Order,
    model::MediaKind,
    models,
    profile::{self, Brand, Profile},
    stop::Stop,
};
#[cfg(feature = "gst")]
use damctl::{media::rehearsal::Rehearsal, spool::Spool};

use super::{Archive, Verdict, print};
#[cfg(feature = "gst")]
use super::{SCRATCH, child};
use crate::cli::ProfileCommand;

/// Tries the brands, each once.
#[cfg(feature = "gst")]
fn rehearse(profile: &Profile, file: &Path, stop: &Stop) -> Result<()> {
    let entries = MediaKind::ALL.into_iter().flat_map(|kind| profile.wanted(kind));
    let mut tried: Vec<&Brand> = Vec::new();
    let scratch = std::env::temp_dir().join(SCRATCH);
    let mut spool = None;
    for entry in entries {
        let Some(brand) = entry.brand.as_ref().filter(|brand| !tried.contains(brand)) else { continue };
        tried.push(brand);
        let (spool, child) = (&*spool.get_or_insert(Spool::open(&scratch)?), child(&scratch)?);
        let tries = Rehearsal { child: &child, spool, stop };
        tries.of(brand).map_err(|e| e.within(format_args!("{}: the brand of '{}'", file.display(), entry.name)))?;
    }
    Ok(())
}

#[cfg(not(feature = "gst"))]
fn rehearse(_: &Profile, _: &Path, _: &Stop) -> Result<()> {
    Ok(())
}

/// `archive` is where models of one's own may be told of, if there is one.
pub fn run(command: ProfileCommand, archive: &dyn Fn() -> Result<Option<Archive>>, stop: &Stop) -> Result<Verdict> {
    match command {
        ProfileCommand::Check { file } => {
            let profile = Profile::load(&file)?;
            let known = archive()?.map_or_else(models::known, |archive| archive.shelf().known())?;
            check_models(&profile.learning, &known)
                .map_err(|e| e.within(format_args!("{}: enrich", file.display())))?;
            rehearse(&profile, &file, stop)?;
            for kind in MediaKind::ALL {
                for entry in profile.wanted(kind) {
                    let when = entry.when.as_ref().map(|when| format!("  when {when}")).unwrap_or_default();
                    let split = entry.split_over.map(|over| format!("  in segments over {over}")).unwrap_or_default();
                    print(format_args!(
                        "{kind:<10} {:<20} {:<28} recipe {}{when}{split}",
                        entry.name,
                        entry.spec.file_name(&entry.name),
                        entry.recipe().short()
                    ));
                }
            }
            print(format_args!("{} is sound", file.display()));
        }
        ProfileCommand::Schema => print(serde_json::to_string_pretty(&Profile::json_schema())?),
        ProfileCommand::BrandSchema => print(serde_json::to_string_pretty(&Brand::json_schema())?),
        ProfileCommand::OrderSchema => print(serde_json::to_string_pretty(&Order::json_schema())?),
        ProfileCommand::Default => print(profile::DEFAULT.trim_end()),
    }
    Ok(Verdict::Done)
}
