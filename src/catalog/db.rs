//! The seam below the queries: a database that runs SQL. Each statement is written once, in the subset that SQLite
//! and PostgreSQL share, with numbered parameters `?1`, `?2`, …

use crate::error::{Error, Result};

/// A parameter or a column's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// BIGINT.
    Int(i64),
    /// TEXT.
    Text(String),
}

impl From<i64> for Value {
    fn from(v: i64) -> Self {
        Value::Int(v)
    }
}

impl From<u64> for Value {
    fn from(v: u64) -> Self {
        // Sizes and inodes beyond 2⁶³ do not occur; wrapping keeps the bits and comes back the same.
        Value::Int(v as i64)
    }
}

impl From<&str> for Value {
    fn from(v: &str) -> Self {
        Value::Text(v.to_owned())
    }
}

impl From<String> for Value {
    fn from(v: String) -> Self {
        Value::Text(v)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(v: Option<T>) -> Self {
        v.map_or(Value::Null, Into::into)
    }
}

macro_rules! shown {
    ($($t:ty),*) => {$(
        impl From<&$t> for Value {
            fn from(v: &$t) -> Self {
                Value::Text(v.to_string())
            }
        }
        impl From<$t> for Value {
            fn from(v: $t) -> Self {
                Value::Text(v.to_string())
            }
        }
    )*};
}

shown!(
    crate::digest::Digest,
    crate::model::AssetId,
    crate::model::DriveId,
    crate::model::JobId,
    crate::model::Key,
    crate::model::PublicationId,
    crate::model::RawPath
);

/// A result row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// Column `i` as a whole number.
    pub fn int(&self, i: usize) -> Result<i64> {
        match self.0.get(i) {
            Some(Value::Int(v)) => Ok(*v),
            other => Err(Error::internal(format!("column {i} is {other:?}, not a number"))),
        }
    }

    /// Column `i` as text.
    pub fn text(&self, i: usize) -> Result<&str> {
        match self.0.get(i) {
            Some(Value::Text(v)) => Ok(v),
            other => Err(Error::internal(format!("column {i} is {other:?}, not text"))),
        }
    }

    /// Column `i` as text or nothing.
    pub fn maybe_text(&self, i: usize) -> Result<Option<&str>> {
        match self.0.get(i) {
            Some(Value::Null) => Ok(None),
            _ => self.text(i).map(Some),
        }
    }

    /// Column `i` as a number or nothing.
    pub fn maybe_int(&self, i: usize) -> Result<Option<i64>> {
        match self.0.get(i) {
            Some(Value::Null) => Ok(None),
            _ => self.int(i).map(Some),
        }
    }

    /// Column `i` parsed from its text.
    pub fn parse<T: std::str::FromStr<Err = Error>>(&self, i: usize) -> Result<T> {
        self.text(i)?.parse()
    }

    /// Column `i` parsed from its text, or nothing.
    pub fn maybe_parse<T: std::str::FromStr<Err = Error>>(&self, i: usize) -> Result<Option<T>> {
        self.maybe_text(i)?.map(str::parse).transpose()
    }

    /// Column `i` read as JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self, i: usize) -> Result<T> {
        serde_json::from_str(self.text(i)?)
            .map_err(|e| Error::corrupt(format!("column {i} of the catalog is damaged")).because(e))
    }
}

/// Values for parameters: `values![id, 3, name]`.
macro_rules! values {
    ($($v:expr),* $(,)?) => { &[$($crate::catalog::db::Value::from($v)),*] };
}
pub(crate) use values;

/// A running transaction.
pub trait Tx {
    /// Runs a statement; returns the number of rows it changed.
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64>;

    /// Runs a query; returns all rows.
    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>>;

    /// Whether every other writer waits until this transaction ends.
    fn is_alone(&self) -> bool;

    /// Keeps every other transaction that locks the same name waiting until this one ends: for what is read in order to
    /// decide what is written.
    fn lock(&mut self, name: &str) -> Result<()>;
}

/// A database. Every implementation passes the suite in `tests/it/contract/db.rs`.
pub trait Db: Send + Sync {
    /// Runs `work` in one transaction: committed when it returns `Ok`, else rolled back. Others may write between two of
    /// its statements, so a condition stands in the statement that depends on it, or under [`Tx::lock`]. `work` may be
    /// called again after a conflict or a lost connection, even when it was committed and only the answer was lost: it
    /// keeps nothing outside, and bears repetition.
    fn with_tx(&self, work: &mut dyn FnMut(&mut dyn Tx) -> Result<()>) -> Result<()>;

    /// Runs a statement that returns rows, and then others that read those rows from a table `changed`: all of it or
    /// nothing, and in one exchange with a server. The others are run in their order or all at once, so none depends on
    /// what another of them writes. Every parameter is used.
    fn change(&self, sql: &str, then: &[&str], values: &[Value]) -> Result<Vec<Row>>;

    /// Runs a query by itself, on a consistent state.
    fn query(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>>;

    /// Milliseconds since 1970-01-01 UTC by the catalog's clock, which all its users share.
    fn now(&self) -> Result<i64>;

    /// Writes all of it into a SQLite file as it is at one moment; or gives a view of it that stands still, for somebody else
    /// to copy.
    fn save(&self, to: &std::path::Path) -> Result<Option<Box<dyn Db>>>;

    /// Looks again at what a table holds, when much of it is new and how it is read depends on that.
    fn look_again(&self, table: &'static str) -> Result<()>;

    /// Whether it is for the processes of one machine only.
    fn is_of_one_machine(&self) -> bool;

    /// What follows the inner SELECT of a claim so that claimers do not wait for each other.
    fn claim_suffix(&self) -> &'static str;

    /// The function that makes JSON of a text.
    fn json_of(&self) -> &'static str;
}
