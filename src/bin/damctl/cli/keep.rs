//! Arguments of what keeps an archive: replacements, copies, policies.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use damctl::{model::AssetId, store::Tier};

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

/// Moves the masters of assets out of the hot area; their renditions stay.
///
/// In a bucket they go to the storage class of the setting `s3_archive_class`, of a folder to that of the setting `archive_folder`.
/// Their keys, bytes and digests stay. What needs the masters of an archived asset waits until it is restored. Killed at any
/// moment, the same command goes on.
#[derive(Debug, Args)]
pub struct ArchiveArgs {
    /// Assets.
    #[arg(value_name = "ASSET", required_unless_present = "collection")]
    pub asset: Vec<AssetId>,
    /// All assets of a collection.
    #[arg(long, value_name = "NAME", conflicts_with = "asset")]
    pub collection: Option<String>,
}

/// Brings the masters of archived assets back.
///
/// From a folder they come back for good, at once. Of a bucket's class that cannot be read they are asked for, and a copy
/// stays for some days; while they are on their way, the exit code is 3, and the same command says how far they are.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// Assets.
    #[arg(value_name = "ASSET", required_unless_present = "collection")]
    pub asset: Vec<AssetId>,
    /// All assets of a collection.
    #[arg(long, value_name = "NAME", conflicts_with = "asset")]
    pub collection: Option<String>,
    /// How many days a bucket keeps the copy.
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(i32).range(1..=3650))]
    pub days: i32,
    /// How soon a bucket gives it: expedited (minutes), standard (hours) or bulk (a day or two).
    #[arg(long, value_name = "TIER", default_value = "standard")]
    pub tier: Tier,
    /// Brings them back into the hot area for good.
    #[arg(long)]
    pub for_good: bool,
    /// Waits until they can be read.
    #[arg(long)]
    pub wait: bool,
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

/// Shows collections, and sets what may be done with their assets.
///
/// A collection's rights hold for its assets where these say nothing. Of two embargoes the later holds, of two ends the earlier.
/// The search index and the store's records follow with the next command.
#[derive(Debug, Subcommand)]
pub enum CollectionCommand {
    /// Shows all collections, and what is said of them.
    List {
        /// Prints a JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Changes what is said of one; what is not given stays, and an empty text takes it back.
    Set(CollectionSetArgs),
}

#[derive(Debug, Args)]
pub struct CollectionSetArgs {
    /// The collection.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The license's name.
    #[arg(long, value_name = "LICENSE")]
    pub license: Option<String>,
    /// Until when only editors see it: a day, or a time with its offset from UTC.
    #[arg(long, value_name = "WHEN")]
    pub embargo: Option<String>,
    /// When the right to show it ends; a day is meant to its end.
    #[arg(long, value_name = "WHEN")]
    pub expires: Option<String>,
    /// Countries where it may be shown (ISO 3166-1, such as ES), with commas between them.
    #[arg(long, value_name = "COUNTRIES")]
    pub territory: Option<String>,
    /// Whether those in it have agreed: given, refused, not needed.
    #[arg(long, value_name = "CONSENT")]
    pub consent: Option<String>,
}
