//! What is published, where, and how far that has come.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AssetId;
use crate::{
    digest::Digest,
    error::{Error, Result},
};

/// What makes a publication this one: wanted twice, it is one still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PublicationId(pub Digest);

impl PublicationId {
    /// Of an asset's generation, a rendition, a channel and the account there. `again` counts how often a person has said
    /// that it is to be published once more.
    pub fn new(asset: AssetId, generation: i64, entry: &str, channel: &str, account: &str, again: i64) -> Self {
        let mut fields = vec![
            "publication".to_owned(),
            asset.to_string(),
            generation.to_string(),
            entry.to_owned(),
            channel.to_owned(),
            account.to_owned(),
        ];
        if again > 0 {
            fields.push(again.to_string());
        }
        Self(Digest::of_fields(&fields))
    }

    /// A word that tells it from every other one, for places that keep it with what was published.
    pub fn marker(&self) -> String {
        format!("damctl-{}", &self.0.to_string()[..16])
    }
}

impl fmt::Display for PublicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PublicationId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.parse().map(Self)
    }
}

/// How far a publication has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PublicationState {
    /// It waits: for its time, for somebody's approval, or for its turn.
    Planned,
    /// It is being sent, or the place is at work on it.
    Sending,
    /// The place has confirmed it.
    Published,
    /// A reply was lost: whether it is there, nobody has found out yet.
    Unknown,
    /// It will not be tried again by itself.
    Failed,
    /// It was there, and was taken back.
    Retracted,
}

impl PublicationState {
    /// All of them.
    pub const ALL: [PublicationState; 6] =
        [Self::Planned, Self::Sending, Self::Published, Self::Unknown, Self::Failed, Self::Retracted];

    /// The word stored in the catalog.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Sending => "sending",
            Self::Published => "published",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
            Self::Retracted => "retracted",
        }
    }
}

impl fmt::Display for PublicationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for PublicationState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::invalid(format!("'{text}' is not a publication's state: expected one of {known}"))
        })
    }
}

/// What is said with what is published.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Words {
    /// The title.
    pub title: String,
    /// The text below it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Keywords, without `#`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Who can see it, in the place's own word: `public`, `unlisted`, `SELF_ONLY`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy: Option<String>,
    /// The place's own word for what it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// BCP 47.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// A place's confirmation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// What the place calls it.
    pub id: String,
    /// Where people find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What else the place said that proves it: sizes, hashes, states.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub proof: serde_json::Value,
}

/// Whether somebody has to agree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// Nobody.
    #[default]
    NotNeeded,
    /// Somebody who has not yet.
    Wanted,
    /// Somebody who has.
    Given(String),
}

/// Something that is published, or to be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Publication {
    /// Its identity.
    pub id: PublicationId,
    /// The asset.
    pub asset: AssetId,
    /// The asset's generation.
    pub generation: i64,
    /// The profile entry whose rendition is sent.
    pub entry: String,
    /// The channel's name.
    pub channel: String,
    /// The kind of place and the account there: what limits hold for together.
    pub outlet: String,
    /// How often a person has had it published once more.
    pub again: i64,
    /// How far it has come.
    pub state: PublicationState,
    /// Not before this time (ms).
    pub not_before: i64,
    /// Whether somebody has to agree.
    pub approval: Approval,
    /// What it is, by the digests of its files: nothing else is sent under its name.
    pub content: Digest,
    /// What a person wants said, in place of the channel's templates; what is empty is not said.
    pub words: Words,
    /// How far sending has come, in the connector's own terms. It may hold what must not be seen.
    #[serde(skip)]
    pub session: Option<serde_json::Value>,
    /// Whether a reply may have been lost that says that it is published.
    #[serde(skip)]
    pub is_posting: bool,
    /// The place's confirmation.
    pub receipt: Option<Receipt>,
    /// Why it has not come further.
    pub error: Option<super::job::Failure>,
    /// Bytes that have been sent.
    pub sent: i64,
    /// When it was first tried (ms).
    pub tried_at: Option<i64>,
    /// Who wanted it.
    pub actor: String,
    /// When it was wanted (ms).
    pub created_at: i64,
    /// When it last changed (ms).
    pub updated_at: i64,
}
