//! Who may do what over HTTP.

use serde::{Deserialize, Serialize};

/// What somebody may do; each may do all that those before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Searches and plays what its rights let everybody see.
    Viewer,
    /// Sees all assets whatever their rights say, changes what is said of assets, sends files.
    Editor,
    /// Sees jobs and metrics, too.
    Operator,
    /// Everything.
    Admin,
}

impl Grade {
    /// All of them.
    pub const ALL: [Grade; 4] = [Grade::Viewer, Grade::Editor, Grade::Operator, Grade::Admin];

    /// The word stored in the catalog and used on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Grade::Viewer => "viewer",
            Grade::Editor => "editor",
            Grade::Operator => "operator",
            Grade::Admin => "admin",
        }
    }
}

impl std::fmt::Display for Grade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Grade {
    type Err = crate::error::Error;

    fn from_str(text: &str) -> crate::error::Result<Self> {
        Self::ALL.into_iter().find(|g| g.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            crate::error::Error::invalid(format!("'{text}' is not a role: expected one of {known}"))
        })
    }
}

impl Token {
    /// What the text of each begins with, so that whoever finds one knows what it is.
    pub const PREFIX: &str = "damctl_";
}

/// A bearer token, as far as the catalog knows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Token {
    /// By which it is named.
    pub id: String,
    /// Whose it is, for people and for the record.
    pub name: String,
    /// What its bearer may do.
    #[serde(rename = "role")]
    pub grade: Grade,
    /// Only these collections; none: all.
    pub collections: Option<Vec<String>>,
    /// The country from which its bearer looks; none: that is not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub territory: Option<String>,
    /// When it ends, in milliseconds since 1970-01-01 UTC.
    pub expires_at: Option<i64>,
    /// When it was taken back.
    pub revoked_at: Option<i64>,
    /// When it was made.
    pub created_at: i64,
}
