//! Suites that every implementation of a seam passes.

use std::sync::Arc;

use damctl::{
    catalog::{Catalog, Clock, FakeClock},
    digest::Digest,
    model::{Asset, AssetId, Master, MediaFacts, MediaKind, Role},
};

mod store;

/// A catalog of a test's own.
pub struct Own {
    /// Opens it once more, as another process would.
    pub open: Box<dyn Fn(Arc<dyn Clock>) -> Catalog + Sync>,
    _dir: Option<tempfile::TempDir>,
    _schema: Option<crate::postgres::Schema>,
}

impl Own {
    fn at(&self, ms: i64) -> (Catalog, Arc<FakeClock>) {
        let clock = Arc::new(FakeClock::at(ms));
        ((self.open)(clock.clone()), clock)
    }
}

/// An asset of one file, and the file.
pub fn asset_of(name: &str, bytes: &str) -> (Asset, Master) {
    let id = AssetId::derived(&[name]);
    let digest = Digest::of(bytes);
    let master = Master {
        asset: id,
        generation: 1,
        role: Role::Main,
        name: name.to_owned(),
        digest,
        bytes: bytes.len() as u64,
        fingerprint: None,
        key: format!("masters/{name}/x").parse().unwrap(),
        facts: MediaFacts::bare(MediaKind::Other, "text/plain"),
    };
    (Asset { id, kind: MediaKind::Other, title: name.to_owned(), collection: None, created_at: 0 }, master)
}

#[path = "."]
mod sqlite {
    use damctl::catalog::SqliteDb;

    use super::{Arc, Catalog, Own};

    #[path = "db.rs"]
    mod db;
    #[path = "publications.rs"]
    mod publications;
    #[path = "queues.rs"]
    mod queues;

    fn own() -> Option<Own> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("catalog.sqlite");
        let open = move |clock| Catalog::new(Arc::new(SqliteDb::open(&path, clock).unwrap()));
        Some(Own { open: Box::new(open), _dir: Some(dir), _schema: None })
    }
}

#[cfg(feature = "postgres")]
#[path = "."]
mod postgres {
    use damctl::catalog::{PostgresConfig, PostgresDb};

    use super::{Arc, Catalog, Own};

    #[path = "db.rs"]
    mod db;
    #[path = "publications.rs"]
    mod publications;
    #[path = "queues.rs"]
    mod queues;

    fn own() -> Option<Own> {
        let schema = crate::postgres::schema()?;
        let config = PostgresConfig { connections: 2, ..PostgresConfig::new(schema.url()) };
        let open = move |clock| Catalog::new(Arc::new(PostgresDb::open(&config, Some(clock)).unwrap()));
        Some(Own { open: Box::new(open), _dir: None, _schema: Some(schema) })
    }
}
