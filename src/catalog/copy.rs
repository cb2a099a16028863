//! A catalog as a whole: into another database, compared row by row.

use std::path::Path;

use super::{
    Catalog, SqliteDb,
    db::{Db, Row, Value},
};
use crate::error::{Doing, Error, Kind, Result};

/// Every table: its columns, the primary key first, and how many of them are the key.
pub const TABLES: [(&str, &[&str], usize); 35] = [
    ("drives", &["id", "identity", "label", "root", "fs_uuid", "serial", "bytes", "created_at", "seen_at"], 1),
    ("assets", &["id", "kind", "title", "collection", "generation", "created_at"], 1),
    ("masters", &["digest", "bytes", "key", "facts", "fingerprint", "confirmed_at"], 1),
    ("members", &["asset", "generation", "digest", "role", "name"], 3),
    (
        "sightings",
        &["drive", "path", "bytes", "mtime_ns", "inode", "outcome", "detail", "digest", "asset", "seen_at", "ctime_ns"],
        2,
    ),
    ("renditions", &["master", "entry", "recipe", "asset", "prefix", "files", "facts", "active", "created_at"], 3),
    ("indexed", &["index_id", "asset", "digest"], 2),
    (
        "jobs",
        &[
            "id",
            "stage",
            "scope",
            "subject",
            "recipe",
            "task",
            "state",
            "priority",
            "attempt",
            "max_attempt",
            "not_before",
            "lease_until",
            "worker",
            "error",
            "created_at",
            "updated_at",
        ],
        1,
    ),
    (
        "publications",
        &[
            "id",
            "asset",
            "generation",
            "entry",
            "channel",
            "outlet",
            "again",
            "state",
            "not_before",
            "approval",
            "content",
            "reserved",
            "words",
            "session",
            "posting",
            "receipt",
            "error",
            "sent",
            "job",
            "tried_at",
            "actor",
            "created_at",
            "updated_at",
        ],
        1,
    ),
    ("outlets", &["name", "failures", "not_before", "spent", "refresher", "refresh_until", "updated_at"], 1),
    ("attempts", &["job", "attempt", "worker", "began", "ended", "result", "error"], 2),
    ("news", &["id", "at", "kind", "subject", "detail", "batch"], 1),
    ("events", &["seq", "at", "kind", "subject", "detail"], 1),
    (
        "uploads",
        &[
            "key",
            "drive",
            "path",
            "bytes",
            "mtime_ns",
            "inode",
            "upload",
            "part_bytes",
            "hashed",
            "state",
            "updated_at",
            "checksum",
        ],
        1,
    ),
    ("upload_parts", &["key", "number", "etag", "bytes", "digest", "crc64"], 2),
    ("master_parts", &["master", "part_bytes", "checksum", "parts"], 1),
    ("stores", &["place", "abilities", "probed_at"], 1),
    (
        "arrivals",
        &[
            "asset",
            "name",
            "collection",
            "bytes",
            "digest",
            "key",
            "upload",
            "part_bytes",
            "state",
            "error",
            "holder",
            "expires_at",
            "created_at",
            "updated_at",
        ],
        1,
    ),
    ("descriptions", &["asset", "revision", "fields", "changed_at"], 1),
    (
        "findings",
        &["master", "kind", "track", "recipe", "language", "source", "by_hand", "items", "active", "made_at"],
        4,
    ),
    ("looks", &["master", "recipe", "part_a", "part_b", "part_c", "part_d", "facts", "made_at"], 1),
    ("meanings", &["master", "recipe", "words", "vectors", "made_at"], 1),
    (
        "tokens",
        &["id", "name", "grade", "collections", "digest", "expires_at", "revoked_at", "created_at", "territory"],
        1,
    ),
    ("archived", &["master", "state", "place", "until", "updated_at"], 1),
    ("collections", &["name", "revision", "rights", "changed_at"], 1),
    ("index_cursors", &["index_id", "seq"], 1),
    ("seals", &["seq", "digest", "sealed_at"], 1),
    ("pending", &["asset", "generation", "wanted", "since"], 1),
    ("superseded", &["asset", "master", "at"], 2),
    ("expired", &["master", "entry", "recipe", "at"], 3),
    ("tombstones", &["prefix", "why", "bytes", "marked_at", "removing_at"], 1),
    ("fixity", &["key", "at", "level", "result", "detail"], 2),
    ("recorded", &["asset", "digest", "at"], 1),
    ("cursors", &["name", "seq"], 1),
    ("feeds", &["name", "id", "seq", "holder", "lease_until", "error", "updated_at"], 1),
];

/// Rows of a page: of what is read, written and compared at a time.
const PAGE: usize = 1000;

/// A table's rows in the order of their keys, a page at a time.
struct Pages<'a> {
    db: &'a dyn Db,
    table: &'static str,
    columns: &'static [&'static str],
    keys: usize,
    after: Option<Vec<Value>>,
    page: std::vec::IntoIter<Row>,
}

impl<'a> Pages<'a> {
    fn of(db: &'a dyn Db, (table, columns, keys): (&'static str, &'static [&'static str], usize)) -> Self {
        Self { db, table, columns, keys, after: None, page: Vec::new().into_iter() }
    }

    fn next(&mut self) -> Result<Option<Row>> {
        if self.page.len() == 0 {
            let keys = self.columns[..self.keys].join(", ");
            let place = (1..=self.keys).map(|n| format!("?{n}")).collect::<Vec<_>>().join(", ");
            let (which, values) = match &self.after {
                None => (String::new(), &[][..]),
                Some(after) => (format!("WHERE ({keys}) > ({place})"), after.as_slice()),
            };
            let columns = self.columns.join(", ");
            let sql = format!("SELECT {columns} FROM {} {which} ORDER BY {keys} LIMIT {PAGE}", self.table);
            let page = self.db.query(&sql, values)?;
            if let Some(last) = page.last() {
                self.after = Some(last.0[..self.keys].to_vec());
            }
            self.page = page.into_iter();
        }
        Ok(self.page.next())
    }
}

/// What a copy moved.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Copied {
    /// Rows by table.
    pub rows: Vec<(&'static str, u64)>,
}

impl Catalog {
    /// Copies all of this catalog into another, then compares them row by row. A copy that was cut off goes on.
    ///
    /// `Invalid` when somebody works on this one, or the other holds what this one does not.
    pub fn copy_to(&self, other: &Catalog) -> Result<Copied> {
        let busy = self.db.query(
            "SELECT worker FROM jobs WHERE state = 'leased' AND lease_until >= ?1 LIMIT 1",
            &[self.now()?.into()],
        )?;
        if let Some(row) = busy.first() {
            let who = row.text(0)?.to_owned();
            return Err(Error::invalid(format!("{who} is at work on the catalog"))
                .hint("let its workers end, or stop them, then copy"));
        }
        self.number_events()?;
        self.copy_rows(other)
    }

    /// A copy of it in a SQLite file that is new, as it is at one moment, whoever works on it meanwhile.
    ///
    /// `Conflict` when the file is there.
    pub fn back_up(&self, to: &Path) -> Result<()> {
        if to.exists() {
            return Err(Error::new(Kind::Conflict, format!("{} is there already", to.display()))
                .hint("a backup never takes the place of another: give a new name"));
        }
        self.number_events()?;
        let folder = to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let doing = || format!("cannot write {}", to.display());
        let dir = tempfile::Builder::new().prefix(".backup-").tempdir_in(folder).doing(doing)?;
        let beside = dir.path().join("catalog.sqlite");
        match self.db.save(&beside)? {
            None => {}
            Some(still) => {
                let (still, copy) = (Catalog::new(still.into()), Catalog::open_sqlite(&beside)?);
                still.copy_rows(&copy)?;
            }
        }
        // A journal would be left behind: it is one file from now on.
        SqliteDb::close(&beside)?;
        // It holds what opens nothing, but tells much.
        std::fs::set_permissions(&beside, std::os::unix::fs::PermissionsExt::from_mode(0o600)).doing(doing)?;
        std::fs::File::open(&beside).and_then(|file| file.sync_all()).doing(doing)?;
        std::fs::hard_link(&beside, to).doing(doing)?;
        std::fs::File::open(folder).and_then(|dir| dir.sync_all()).doing(doing)
    }

    /// Takes a backup in, into a catalog that has nothing in it.
    ///
    /// `Conflict` when there is something.
    pub fn restore_from(&self, backup: &Path) -> Result<Copied> {
        if !backup.is_file() {
            return Err(Error::not_found(format!("there is no backup {}", backup.display())));
        }
        SqliteDb::check(backup)?;
        // An archive that was just made has events of that, and knows its store.
        const MADE: [&str; 5] = ["events", "news", "seals", "stores", "outlets"];
        for (table, ..) in TABLES.iter().filter(|(table, ..)| !MADE.contains(table)) {
            if !self.db.query(&format!("SELECT 1 FROM {table} LIMIT 1"), &[])?.is_empty() {
                return Err(Error::new(
                    Kind::Conflict,
                    "the catalog has things in it: a backup is restored into an empty one",
                )
                .hint("move the catalog's file away, or give another database in 'catalog', then restore"));
            }
        }
        // What brings a backup up to date is not done to the backup itself.
        let dir = tempfile::tempdir().doing(|| "cannot make a temporary folder")?;
        let copy = dir.path().join("catalog.sqlite");
        std::fs::copy(backup, &copy).doing(|| format!("cannot read {}", backup.display()))?;
        let from = Catalog::open_sqlite(&copy)?;
        // What was done when it was made is done no more.
        self.empty()?;
        let copied = from.copy_rows(self)?;
        // What was wanted or begun then may have been published since: somebody looks before it is sent.
        self.db.with_tx(&mut |tx| {
            let sql = "UPDATE publications SET state = 'unknown', session = NULL WHERE state IN ('planned', 'sending')";
            tx.execute(sql, &[])?;
            // Indexes may have what came since: they are compared as a whole.
            tx.execute("DELETE FROM index_cursors", &[]).map(drop)
        })?;
        Ok(copied)
    }

    /// Removes what an archive that was just made has: events of its making, stores that were probed.
    fn empty(&self) -> Result<()> {
        self.db.with_tx(&mut |tx| {
            TABLES.iter().try_for_each(|(table, ..)| tx.execute(&format!("DELETE FROM {table}"), &[]).map(drop))
        })
    }

    fn copy_rows(&self, other: &Catalog) -> Result<Copied> {
        // First all that must not be there: nothing is added to a catalog of something else.
        for table in TABLES {
            other.is_part_of(self, table)?;
        }
        for (table, columns, keys) in TABLES {
            let names = columns.join(", ");
            let places = (1..=columns.len()).map(|n| format!("?{n}")).collect::<Vec<_>>().join(", ");
            let key = columns[..keys].join(", ");
            let sql = format!("INSERT INTO {table} ({names}) VALUES ({places}) ON CONFLICT ({key}) DO NOTHING");
            let mut pages = Pages::of(&*self.db, (table, columns, keys));
            loop {
                let mut rows = Vec::with_capacity(PAGE);
                while let Some(row) = pages.next()? {
                    rows.push(row);
                    if rows.len() == PAGE {
                        break;
                    }
                }
                if rows.is_empty() {
                    break;
                }
                other.db.with_tx(&mut |tx| rows.iter().try_for_each(|row| tx.execute(&sql, &row.0).map(drop)))?;
            }
        }
        self.compare(other)
    }

    /// Whether each row of a table is in another catalog with the same key.
    fn is_part_of(&self, other: &Catalog, table: (&'static str, &'static [&'static str], usize)) -> Result<()> {
        let (mut mine, mut theirs) = (Pages::of(&*self.db, table), Pages::of(&*other.db, table));
        while let Some(row) = mine.next()? {
            loop {
                match theirs.next()? {
                    Some(there) if there == row => break,
                    Some(there) if key_order(&there, &row, table.2).is_lt() => {}
                    _ => {
                        return Err(Error::invalid(format!(
                            "the catalog to copy to holds other things: {} {}",
                            table.0,
                            shown(&row, table.2)
                        ))
                        .hint("copy into a new, empty database or file"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Compares two catalogs row by row; says how many rows both have.
    pub fn compare(&self, other: &Catalog) -> Result<Copied> {
        let mut copied = Copied::default();
        for table in TABLES {
            let (mut mine, mut theirs) = (Pages::of(&*self.db, table), Pages::of(&*other.db, table));
            let mut count = 0;
            loop {
                match (mine.next()?, theirs.next()?) {
                    (None, None) => break,
                    (Some(a), Some(b)) if a == b => count += 1,
                    (a, b) => {
                        let row = a.or(b).map(|row| shown(&row, table.2)).unwrap_or_default();
                        return Err(Error::corrupt(format!("the copy differs: {} {row}", table.0))
                            .hint("somebody may have written meanwhile: copy again into a new database"));
                    }
                }
            }
            copied.rows.push((table.0, count));
        }
        Ok(copied)
    }
}

fn key_order(a: &Row, b: &Row, keys: usize) -> std::cmp::Ordering {
    let each = |(a, b): (&Value, &Value)| match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        _ => std::cmp::Ordering::Equal,
    };
    let order = a.0[..keys].iter().zip(&b.0[..keys]).map(each);
    order.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
}

fn shown(row: &Row, keys: usize) -> String {
    let cell = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        Value::Null => String::new(),
    };
    row.0[..keys].iter().map(cell).collect::<Vec<_>>().join(" ")
}
