//! `damctl profile`: checks profiles, and prints what describes them.

use anyhow::Result;
use damctl::{
    media::Order,
    model::MediaKind,
    profile::{self, Brand, Profile},
};

use super::{Verdict, print};
use crate::cli::ProfileCommand;

pub fn run(command: ProfileCommand) -> Result<Verdict> {
    match command {
        ProfileCommand::Check { file } => {
            let profile = Profile::load(&file)?;
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
