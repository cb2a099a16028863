//! The catalog in one SQLite file, for one machine: WAL, one writer at a time, any number of readers and processes.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, types::ValueRef};

use super::{
    Clock,
    db::{Db, Row, Tx, Value},
    migrations,
};
use crate::error::{Error, Kind, Result};

/// How long a writer waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(60);

/// A SQLite database file.
pub struct SqliteDb {
    path: PathBuf,
    wait: Duration,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    clock: Arc<dyn Clock>,
}

impl SqliteDb {
    /// Opens the catalog at `path`, making and upgrading it as needed.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::open_waiting(path, clock, BUSY)
    }

    /// The same, with another time that a writer waits for another process's transaction.
    pub fn open_waiting(path: &Path, clock: Arc<dyn Clock>, wait: Duration) -> Result<Self> {
        let failed = |e: rusqlite::Error| describe(e, &format!("cannot open the catalog {}", path.display()));
        let mut writer =
            connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE, wait).map_err(failed)?;
        // Two processes may start at once: the migration runs in an exclusive transaction of its own.
        migrations::runner().run(&mut writer).map_err(|e| {
            Error::unavailable(format!("cannot upgrade the catalog {}", path.display()))
                .because(e)
                .hint("another damctl may be upgrading it: try again; if it persists, the file may not be a catalog")
        })?;
        Ok(Self { path: path.to_owned(), wait, writer: Mutex::new(writer), readers: Mutex::default(), clock })
    }

    fn write(&self, work: &mut dyn FnMut(&Connection) -> Result<()>) -> Result<()> {
        let mut writer = lock(&self.writer);
        let tx = writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        work(&tx)?;
        crate::crash::point("catalog.before-commit");
        tx.commit().map_err(failed)?;
        crate::crash::point("catalog.after-commit");
        Ok(())
    }
}

fn connect(path: &Path, flags: OpenFlags, wait: Duration) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(wait)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A power cut may take back the last transactions, never tear one: what they said is then found to be missing and
    // done again, and every object lies where it will be looked for.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Kibibytes, as they are negative. Digests and ids fall all over their indexes; at the default of 2 MiB every third
    // row of a large ingest would wait for the disk.
    connection.pragma_update(None, "cache_size", -32_768)?;
    connection.pragma_update(None, "wal_autocheckpoint", 8192)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn describe(e: rusqlite::Error, doing: &str) -> Error {
    let code = e.sqlite_error_code();
    let (kind, hint) = match code {
        Some(ErrorCode::DiskFull) => {
            (Kind::Paused, Some("the catalog's disk is full: free some space, then run the same command again"))
        }
        Some(ErrorCode::ReadOnly) => {
            (Kind::Paused, Some("the catalog cannot be written: check its permissions and its file system"))
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (Kind::Unavailable, Some("another process holds the catalog: try again"))
        }
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            (Kind::Invalid, Some("'damctl init DIR' makes an archive; check who may read and write its folder"))
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            (Kind::Corrupt, Some("restore the catalog from a backup"))
        }
        Some(ErrorCode::SystemIoFailure) => (Kind::Paused, Some("the catalog's disk reports errors")),
        _ => (Kind::Internal, None),
    };
    let e = Error::new(kind, doing).because(e);
    match hint {
        Some(hint) => e.hint(hint),
        None => e,
    }
}

fn failed(e: rusqlite::Error) -> Error {
    describe(e, "the catalog refused a statement")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic in the middle of a transaction rolled it back; the connection itself is sound.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run_query(connection: &Connection, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let columns = statement.column_count();
    let mut rows = statement.query(rusqlite::params_from_iter(values)).map_err(failed)?;
    let mut out = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let cell = |i| match row.get_ref(i).map_err(failed)? {
            ValueRef::Null => Ok(Value::Null),
            ValueRef::Integer(v) => Ok(Value::Int(v)),
            ValueRef::Text(v) => Ok(Value::Text(String::from_utf8_lossy(v).into_owned())),
            other => Err(Error::internal(format!("column {i} is of type {}", other.data_type()))),
        };
        out.push(Row((0..columns).map(cell).collect::<Result<_>>()?));
    }
    Ok(out)
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(match self {
            Value::Null => rusqlite::types::Null.into(),
            Value::Int(v) => (*v).into(),
            Value::Text(v) => v.as_str().into(),
        })
    }
}

struct SqliteTx<'a>(&'a Connection);

impl Tx for SqliteTx<'_> {
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64> {
        let mut statement = self.0.prepare_cached(sql).map_err(failed)?;
        statement.execute(rusqlite::params_from_iter(values)).map(|n| n as u64).map_err(failed)
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
        run_query(self.0, sql, values)
    }

    fn is_alone(&self) -> bool {
        // The transaction began IMMEDIATE.
        true
    }

    fn lock(&mut self, _: &str) -> Result<()> {
        Ok(())
    }
}

impl SqliteDb {
    /// Makes one file of a catalog that nobody uses: nothing of it is in a journal any more.
    pub(super) fn close(path: &Path) -> Result<()> {
        let connection = Connection::open(path).map_err(failed)?;
        connection.pragma_update(None, "journal_mode", "DELETE").map_err(failed)?;
        connection.close().map_err(|(_, e)| failed(e))
    }

    /// Reads all of a file and looks whether it is whole.
    ///
    /// `Corrupt` when it is not.
    pub(super) fn check(path: &Path) -> Result<()> {
        let damaged = |why: &str| Error::corrupt(format!("{} is damaged: {why}", path.display()));
        let open = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = Connection::open_with_flags(path, open).map_err(|e| damaged(&e.to_string()))?;
        let told = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
        match told.map_err(|e| damaged(&e.to_string()))?.as_str() {
            "ok" => Ok(()),
            other => Err(damaged(other)),
        }
    }
}

impl Db for SqliteDb {
    fn save(&self, to: &Path) -> Result<Option<Box<dyn Db>>> {
        let to = to.to_str().ok_or_else(|| Error::invalid(format!("{} is not UTF-8", to.display())))?;
        // A reader of its own: writers go on meanwhile.
        let connection = Connection::open(&self.path).map_err(failed)?;
        connection.busy_timeout(self.wait).map_err(failed)?;
        connection.execute("VACUUM INTO ?1", [to]).map_err(failed)?;
        Ok(None)
    }

    fn with_tx(&self, work: &mut dyn FnMut(&mut dyn Tx) -> Result<()>) -> Result<()> {
        self.write(&mut |connection| work(&mut SqliteTx(connection)))
    }

    fn change(&self, sql: &str, then: &[&str], values: &[Value]) -> Result<Vec<Row>> {
        let mut changed = Vec::new();
        let writer = &mut |connection: &Connection| {
            let columns = connection.prepare_cached(sql).map_err(failed)?.column_names().join(", ");
            changed = run_query(connection, sql, values)?;
            for row in &changed {
                let first = values.len() + 1;
                let cells: Vec<String> = (first..first + row.0.len()).map(|n| format!("?{n}")).collect();
                let values = [values, &row.0].concat();
                for follower in then {
                    let sql = format!("WITH changed ({columns}) AS (VALUES ({})) {follower}", cells.join(", "));
                    SqliteTx(connection).execute(&sql, &values)?;
                }
            }
            Ok(())
        };
        self.write(writer)?;
        Ok(changed)
    }

    fn query(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
        let pooled = lock(&self.readers).pop();
        let connection = match pooled {
            Some(connection) => connection,
            None => connect(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE, self.wait).map_err(failed)?,
        };
        let rows = run_query(&connection, sql, values);
        lock(&self.readers).push(connection);
        rows
    }

    fn now(&self) -> Result<i64> {
        Ok(self.clock.now_ms())
    }

    fn look_again(&self, _: &'static str) -> Result<()> {
        // Its plans depend on the statements alone.
        Ok(())
    }

    fn is_of_one_machine(&self) -> bool {
        // Its processes share memory beside the file ("All processes using a database must be on the same host computer":
        // sqlite.org/wal.html).
        true
    }

    fn claim_suffix(&self) -> &'static str {
        // The transaction began IMMEDIATE: nobody else claims meanwhile.
        ""
    }

    fn json_of(&self) -> &'static str {
        "json_quote"
    }
}
