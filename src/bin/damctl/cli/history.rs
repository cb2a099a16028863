//! What is asked about the past.

use clap::Args;
use damctl::{catalog::Seal, model::AssetId};

#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// The asset.
    #[arg(value_name = "ASSET", required_unless_present = "verify")]
    pub asset: Option<AssetId>,
    /// Looks at every event and every seal again. The exit code is 1 if one is not as it was.
    #[arg(long, conflicts_with = "asset")]
    pub verify: bool,
    /// A seal that was kept elsewhere, as NUMBER:DIGEST.
    #[arg(long, value_name = "SEAL", requires = "verify")]
    pub seal: Option<Seal>,
    /// Prints JSON.
    #[arg(long)]
    pub json: bool,
}
