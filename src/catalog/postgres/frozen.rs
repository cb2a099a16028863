//! A view of a PostgreSQL catalog that stands still: one transaction on one connection, which is read and nothing else.

use std::sync::{Mutex, PoisonError};

use super::{PostgresConfig, Server, Session, describe, numbered, parameters, rows};
use crate::{
    catalog::db::{Db, Row, Tx, Value},
    error::{Error, Result},
};

struct Frozen(Mutex<Session>);

/// Stops the view at this moment. It lasts as long as its connection: one that breaks is not made again.
pub(super) fn freeze(config: &PostgresConfig) -> Result<impl Db + use<>> {
    let mut session = Server::new(config)?.open()?;
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0; SELECT 1";
    session.client.batch_execute(begin).map_err(|e| describe(e, "the catalog cannot be looked at as it is now"))?;
    Ok(Frozen(Mutex::new(session)))
}

fn still() -> Error {
    Error::internal("a view that stands still is not written to")
}

impl Db for Frozen {
    fn with_tx(&self, _: &mut dyn FnMut(&mut dyn Tx) -> Result<()>) -> Result<()> {
        Err(still())
    }

    fn change(&self, _: &str, _: &[&str], _: &[Value]) -> Result<Vec<Row>> {
        Err(still())
    }

    fn query(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
        let mut session = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = session.client.query(&numbered(sql), &parameters(values));
        rows(&found.map_err(|e| describe(e, "the catalog could not be read to its end"))?)
    }

    fn now(&self) -> Result<i64> {
        let sql = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
        self.query(sql, &[])?.first().ok_or_else(|| Error::internal("a clock without a row"))?.int(0)
    }

    fn save(&self, _: &std::path::Path) -> Result<Option<Box<dyn Db>>> {
        Err(still())
    }

    fn look_again(&self, _: &'static str) -> Result<()> {
        Ok(())
    }

    fn is_of_one_machine(&self) -> bool {
        false
    }

    fn claim_suffix(&self) -> &'static str {
        ""
    }

    fn json_of(&self) -> &'static str {
        "to_json"
    }
}
