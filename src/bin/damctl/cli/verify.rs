//! What `damctl verify` is told.

use clap::{Args, ValueEnum};
use damctl::model::{Area, AssetId, Key};

use super::values::{age, area, rate, share};

/// How closely stored objects are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VerifyLevel {
    /// The store has each object, in its size, and its checksum where there is one to compare.
    Head,
    /// Also some of the bytes, and the masters' inventories.
    Sample,
    /// Every byte, and the masters' inventories.
    Full,
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// How closely: `head` asks the store; `sample` also reads small objects, and parts of large ones, other parts each
    /// time; `full` reads every byte. What looks wrong is always read to its end.
    #[arg(long, value_name = "LEVEL", default_value = "full")]
    pub level: VerifyLevel,
    /// Only these assets.
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub asset: Vec<AssetId>,
    /// Only assets of this collection.
    #[arg(long, value_name = "NAME", conflicts_with = "asset")]
    pub collection: Option<String>,
    /// Only what lies in this area: masters or renditions.
    #[arg(long, value_name = "AREA", value_parser = area)]
    pub area: Option<Area>,
    /// Only objects whose keys begin so.
    #[arg(long, value_name = "KEY")]
    pub location: Option<String>,
    /// Only what was not found sound, as closely, for so long: 180d, 12h.
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub older_than: Option<i64>,
    /// Only so much of it: 1%.
    #[arg(long, value_name = "PERCENT", value_parser = share)]
    pub share: Option<f64>,
    /// Only as much as is read with so many bytes: 200GB.
    #[arg(long, value_name = "BYTES", value_parser = rate)]
    pub budget: Option<u64>,
    /// Reads no faster than so many bytes a second: 80MB/s, 500K (thousands), or 1G.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub rate: Option<u64>,
    /// Holds every object of the masters against OCFL's specification instead of the catalog: names, declarations, inventories of all
    /// versions; with `--level full` the content's digests as well.
    #[arg(long, conflicts_with_all = ["asset", "collection", "area", "location", "older_than", "share", "budget", "rate", "drop"])]
    pub structure: bool,
    /// Shows the looks at one object, the latest first, and looks at nothing.
    #[arg(long, value_name = "KEY", exclusive = true)]
    pub history: Option<Key>,
    /// Takes renditions that are damaged or missing out of store and catalog, so that `transcode` makes them again.
    #[arg(long)]
    pub drop: bool,
}
