//! Arguments of what keeps an archive: replacements, copies, policies.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use damctl::model::AssetId;

use super::{WorkArgs, values::rate};

#[derive(Debug, Args)]
pub struct ReplaceArgs {
    /// The asset.
    #[arg(value_name = "ASSET")]
    pub asset: AssetId,
    /// The file that takes its place.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Leaves what is to be made of it to the next `damctl transcode`.
    #[arg(long)]
    pub no_wait: bool,
    #[command(flatten)]
    pub work: WorkArgs,
}

#[derive(Debug, Args)]
pub struct ReplicateArgs {
    /// Also reads what is there already, and makes good what has other bytes.
    #[arg(long)]
    pub verify: bool,
    /// Reads no faster than so many bytes a second: 80M, 500K (thousands), or 1G.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub rate: Option<u64>,
}

#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// The asset.
    #[arg(value_name = "ASSET")]
    pub asset: AssetId,
    /// The number of the generation. Default: the one that was active before.
    #[arg(long, value_name = "N")]
    pub to: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Shows in what the buckets are not as they are wanted, and what making them so would remove; --apply makes them so.
    ///
    /// Masters keep their earlier versions; uploads that nobody ends are given up after 7 days; earlier versions of renditions go
    /// after 7 days; masters are locked as the setting `s3_masters_lock` says. Rules that others have made stay.
    Policy {
        /// Makes them so.
        #[arg(long)]
        apply: bool,
    },
    /// Shows bytes and objects by area, collection, the profile's entry and month.
    Usage {
        /// Prints a JSON object a line.
        #[arg(long)]
        json: bool,
    },
}
