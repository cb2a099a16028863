//! What is said to what hands the archive out in others' forms.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use damctl::model::{Area, AssetId};

use super::values::{age, area};

#[derive(Debug, Subcommand)]
pub enum ExportCommand {
    /// Writes a bag by BagIt 1.0 (RFC 8493) of the active masters of these assets, with PREMIS and damctl's own record.
    Bagit(BagitArgs),
    /// Finds each way in which a bag is not valid. The exit code is 1 when there is one.
    Validate {
        /// The bag's folder.
        #[arg(value_name = "BAG")]
        bag: PathBuf,
        /// Also holds it against the rules of this BagIt profile, a JSON file.
        #[arg(long, value_name = "FILE")]
        profile: Option<PathBuf>,
        /// Also holds it against the profile that its bag-info.txt names, which is fetched from there.
        #[cfg(feature = "download")]
        #[arg(long, conflicts_with = "profile")]
        own_profile: bool,
        /// Fetches from this host even if it is in a network of our own; can be given again.
        #[cfg(feature = "download")]
        #[arg(long, value_name = "HOST", requires = "own_profile")]
        from: Vec<String>,
        /// Prints a JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Fetches what a bag's fetch.txt names and is not in it. Each file is held against the manifests; the exit code is 1
    /// when one cannot be had.
    #[cfg(feature = "download")]
    Fetch {
        /// The bag's folder.
        #[arg(value_name = "BAG")]
        bag: PathBuf,
        /// Fetches from this host even if it is in a network of our own; can be given again.
        #[arg(long, value_name = "HOST")]
        from: Vec<String>,
    },
    /// Prints what happened to an asset and its files, as PREMIS 3.
    Premis {
        /// The asset.
        #[arg(value_name = "ASSET")]
        asset: AssetId,
    },
    /// Lays the files of a drive or an asset into a folder, as they were, and writes an ASC MHL hash list of them.
    ///
    /// What is in the folder already is read and compared: the list is the next generation, and the exit code is 1 when
    /// something differs.
    Mhl {
        /// A drive, as 'damctl drives' names it, or an asset.
        #[arg(value_name = "DRIVE|ASSET")]
        what: OsString,
        /// The folder.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// Copies files, even where they could share their place on the disk with the store.
        #[arg(long)]
        copy: bool,
    },
    /// Prints digests as sha256sum does: 'sha256sum -c' checks them from the store's folder.
    Sums {
        /// masters or renditions.
        #[arg(long, value_name = "AREA", default_value = "masters", value_parser = area)]
        area: Area,
        /// Only of this collection.
        #[arg(long, value_name = "NAME")]
        collection: Option<String>,
    },
    /// Prints a line for every asset.
    Catalog {
        /// How.
        #[arg(long, value_enum, default_value_t = TableForm::Csv)]
        format: TableForm,
    },
    /// Prints what the archive has of an asset as JSON: generations, masters, renditions, captions.
    Manifest {
        /// The asset.
        #[arg(value_name = "ASSET")]
        asset: AssetId,
    },
}

#[derive(Debug, Args)]
pub struct BagitArgs {
    /// The assets.
    #[arg(value_name = "ASSET", required = true)]
    pub asset: Vec<AssetId>,
    /// The bag's folder; empty, or not there.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// The algorithm of its manifests. With sha512 every file is read.
    #[arg(long, value_enum, default_value_t = BagAlgorithm::Sha256)]
    pub algorithm: BagAlgorithm,
    /// No payload: fetch.txt has addresses of it. The archive's store has to be a bucket.
    #[arg(long, conflicts_with = "copy")]
    pub holey: bool,
    /// For how long the addresses are good: 12h, 7d at most.
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = age, requires = "holey")]
    pub valid: i64,
    /// Copies files and checks their bytes, even where they could share their place on the disk with the store.
    #[arg(long)]
    pub copy: bool,
    /// The address of the BagIt profile that it follows, for bag-info.txt.
    #[arg(long, value_name = "URL")]
    pub profile: Option<String>,
}

/// Algorithms of new bags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BagAlgorithm {
    /// As the archive knows its files.
    Sha256,
    /// As some want them.
    Sha512,
}

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TableForm {
    /// RFC 4180.
    Csv,
    /// A JSON object a line.
    Json,
}
