//! The catalog in PostgreSQL: contention, restarts, upgrades, TLS, and what a user hears.

use std::{
    collections::HashSet,
    ffi::OsStr,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use damctl::{
    catalog::{Catalog, Facts, FakeClock, JobFilter, PostgresConfig, PostgresDb, SqliteDb, TABLES, Wanted},
    error::Kind,
    model::{JobState, Stage},
};

use crate::harness::{Archive, scratch};

/// A schema of a test's own in the suite's server; it is dropped with this.
pub struct Schema {
    server: String,
    name: String,
    url: String,
}

impl Schema {
    /// The address of a catalog in it.
    pub fn url(&self) -> &str {
        &self.url
    }

    fn run(server: &str, sql: &str) {
        postgres::Client::connect(server, postgres::NoTls).unwrap().batch_execute(sql).unwrap();
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        Self::run(&self.server, &format!("SET client_min_messages = error; DROP SCHEMA {} CASCADE", self.name));
    }
}

/// A new schema, when the suite has a server.
pub fn schema() -> Option<Schema> {
    let Ok(server) = std::env::var("DAMCTL_TEST_POSTGRES") else {
        eprintln!("skipped: DAMCTL_TEST_POSTGRES names no PostgreSQL server ('tests/pg up DIR' starts one)");
        return None;
    };
    let name = format!("t_{}", uuid::Uuid::new_v4().simple());
    Schema::run(&server, &format!("CREATE SCHEMA {name}"));
    let url = format!("{server}?options=-csearch_path%3D{name}");
    Some(Schema { server, name, url })
}

fn config(url: &str) -> PostgresConfig {
    PostgresConfig::new(url)
}

fn jobs(n: usize) -> Vec<Wanted> {
    let each = |i| Wanted {
        stage: Stage::Transcode,
        scope: String::new(),
        subject: format!("asset {i}"),
        recipe: "r".to_owned(),
        task: serde_json::json!({}),
        priority: 0,
    };
    (0..n).map(each).collect()
}

#[test]
fn sixty_four_claimers_share_no_job_and_lose_none() {
    let Some(schema) = schema() else { return };
    let all = 3_000;
    let config = PostgresConfig { connections: 64, ..config(schema.url()) };
    let catalog = Catalog::open_postgres(&config).unwrap();
    catalog.enqueue(&jobs(all)).unwrap();
    let claimed = Mutex::new(Vec::new());
    let began = Instant::now();
    std::thread::scope(|scope| {
        for worker in 0..64 {
            let (catalog, claimed) = (&catalog, &claimed);
            scope.spawn(move || {
                while let Some(lease) = catalog.claim(Stage::Transcode, "", &format!("w{worker}"), 60_000).unwrap() {
                    claimed.lock().unwrap().push(lease.job.id);
                }
            });
        }
    });
    let claimed = claimed.into_inner().unwrap();
    eprintln!("{:.0} claims a second", all as f64 / began.elapsed().as_secs_f64());
    assert_eq!(claimed.len(), all);
    assert_eq!(claimed.iter().collect::<HashSet<_>>().len(), all, "a job was claimed twice");
    // And all that happened is told once, in an order without gaps.
    let mut after = 0;
    loop {
        let page = catalog.events_after(after, 1000).unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.iter().zip(after + 1..).all(|(event, seq)| event.seq == seq));
        after = last.seq;
    }
    assert_eq!(after, 2 * all as i64);
}

#[test]
fn whoever_follows_the_events_misses_none_while_many_are_written() {
    let Some(schema) = schema() else { return };
    let all = 300;
    let catalog = Catalog::open_postgres(&PostgresConfig { connections: 12, ..config(schema.url()) }).unwrap();
    catalog.enqueue(&jobs(all)).unwrap();
    let is_over = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let follower = scope.spawn(|| {
            let (mut seen, mut after) = (Vec::new(), 0);
            loop {
                let was_over = is_over.load(Ordering::SeqCst);
                let page = catalog.events_after(after, 7).unwrap();
                after = page.last().map_or(after, |e| e.seq);
                if page.is_empty() && was_over {
                    return seen;
                }
                seen.extend(page.into_iter().map(|e| e.seq));
            }
        });
        let work = || {
            while let Some(lease) = catalog.claim(Stage::Transcode, "", "w", 60_000).unwrap() {
                catalog.settle(&lease, &Facts::default(), None).unwrap();
            }
        };
        let workers: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
        workers.into_iter().for_each(|w| w.join().unwrap());
        is_over.store(true, Ordering::SeqCst);
        follower.join().unwrap()
    });
    // It waits, begins and ends.
    assert_eq!(seen, (1..=3 * all as i64).collect::<Vec<_>>());
}

/// A server of a test's own, which may be stopped.
struct Server {
    dir: tempfile::TempDir,
    url: String,
}

impl Server {
    fn up() -> Option<Self> {
        std::env::var_os("DAMCTL_TEST_POSTGRES")?;
        let dir = tempfile::tempdir().unwrap();
        let url = Self::pg("up", &dir);
        Some(Self { dir, url })
    }

    fn pg(what: &str, dir: &tempfile::TempDir) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pg");
        let output = Command::new(script).arg(what).arg(dir.path()).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        Self::pg("down", &self.dir);
    }
}

#[test]
fn a_server_that_crashes_and_comes_back_loses_no_job_and_no_worker() {
    let Some(server) = Server::up() else { return };
    // What was said to be written must outlive the crash.
    let catalog = Catalog::open_postgres(&config(&server.url)).unwrap();
    let all = 400;
    catalog.enqueue(&jobs(all)).unwrap();
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (catalog, done) = (&catalog, &done);
            scope.spawn(move || {
                while let Some(lease) = catalog.claim(Stage::Transcode, "", &format!("w{worker}"), 600_000).unwrap() {
                    std::thread::sleep(Duration::from_millis(2));
                    catalog.settle(&lease, &Facts::default(), None).unwrap();
                    done.lock().unwrap().push(lease.job.id);
                }
            });
        }
        for _ in 0..2 {
            std::thread::sleep(Duration::from_millis(300));
            Server::pg("stop", &server.dir);
            Server::pg("up", &server.dir);
        }
    });
    // A claim whose answer was lost is a lease that runs out; nothing else is left.
    let open = |state| catalog.jobs(&JobFilter { state: Some(state), ..JobFilter::default() }).unwrap().len();
    let (finished, leased) = (open(JobState::Done), open(JobState::Leased));
    assert!(leased <= 8 && finished + leased == all, "{finished} done, {leased} leased of {all}");
    assert_eq!(done.into_inner().unwrap().len(), finished);
}

#[test]
fn whoever_waits_for_a_server_hears_when_it_is_to_stop() {
    let archive = Archive::new();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = archive.command(["status"]);
    command.env("DAMCTL_CATALOG", format!("postgres://nobody@{gone}/none")).stderr(std::process::Stdio::piped());
    let began = std::time::Instant::now();
    let waiting = command.spawn().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    crate::harness::tool("kill", ["-TERM", &waiting.id().to_string()]);
    let ran: crate::harness::Ran = waiting.wait_with_output().unwrap().into();
    ran.ends(143).says("cannot open the catalog");
    assert!(began.elapsed() < Duration::from_secs(10), "it took {:?}", began.elapsed());
}

#[test]
fn a_server_that_is_away_is_unavailable_and_a_wrong_one_is_invalid() {
    let Some(schema) = schema() else { return };
    let soon = |url: &str| PostgresConfig { patience: Duration::from_millis(300), ..config(url) };
    let kind = |url: &str| Catalog::open_postgres(&soon(url)).map(drop).unwrap_err().kind();
    assert_eq!(kind("postgres://nobody@127.0.0.1:1/x"), Kind::Unavailable);
    assert_eq!(kind("postgres://nobody@127.0.0.1:notaport/x"), Kind::Invalid);
    let server = std::env::var("DAMCTL_TEST_POSTGRES").unwrap();
    assert_eq!(kind(&server.replace("/postgres", "/there_is_none")), Kind::Invalid);
    // The test's server has no TLS: what asks for it gets no plain connection instead.
    assert_eq!(kind(&format!("{}&sslmode=verify-full", schema.url())), Kind::Invalid);
}

#[test]
fn a_server_with_tls_is_verified_and_no_other_is_talked_to() {
    let Some(server) = Server::up() else { return };
    let data = server.dir.path().join("data");
    let make = "cd \"$1\" && for ca in ca other; do openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -keyout $ca.key -out $ca.pem -days 2 -subj /CN=$ca || exit; done
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout data/server.key -out req.pem -subj /CN=db &&
        printf 'subjectAltName=DNS:localhost\\n' >ext && openssl x509 -req -in req.pem -CA ca.pem -CAkey ca.key \
        -CAcreateserial -days 2 -extfile ext -out data/server.crt && chmod 600 data/server.key &&
        chown --reference=data data/server.key data/server.crt &&
        printf \"ssl = on\\n\" >>data/postgresql.conf && printf 'hostssl all all 127.0.0.1/32 trust\\n' >data/pg_hba.conf";
    let root = server.dir.path().to_str().unwrap();
    crate::harness::tool("sh", ["-c", make, "sh", root]);
    Server::pg("stop", &server.dir);
    assert!(data.join("server.crt").is_file());
    Server::pg("up", &server.dir);
    let named = server.url.replace("127.0.0.1", "localhost");
    let open = |url: &str, rest: &str| {
        let config = PostgresConfig { patience: Duration::from_millis(300), ..config(&format!("{url}?{rest}")) };
        Catalog::open_postgres(&config).map_err(|e| (e.kind(), format!("{e:#}")))
    };
    let trusted = format!("sslmode=verify-full&sslrootcert={root}/ca.pem");
    let catalog = open(&named, &trusted).unwrap();
    catalog.enqueue(&jobs(3)).unwrap();
    assert!(catalog.claim(Stage::Transcode, "", "w", 60_000).unwrap().is_some());
    // 'require' verifies as well; libpq's would not.
    assert!(open(&named, &format!("sslmode=require&sslrootcert={root}/ca.pem")).is_ok());
    let refused = [
        (&named, format!("sslmode=verify-full&sslrootcert={root}/other.pem"), "an authority that nobody trusts"),
        (&named, "sslmode=verify-full".to_owned(), "the system's authorities"),
        (&server.url, trusted, "a certificate of another name"),
        (&named, "sslmode=disable".to_owned(), "a plain connection, which the server refuses"),
    ];
    for (url, rest, what) in refused {
        let (kind, message) = open(url, &rest).map(drop).expect_err(what);
        assert_eq!(kind, Kind::Invalid, "{what}: {message}");
    }
}

#[test]
fn addresses_are_shown_without_their_passwords() {
    for url in [
        "postgres://ann:s3cr:et@db.example/dam?sslmode=require&password=x",
        "postgres://ann:s3c?ret@db.example/dam",
        "postgres://ann@db.example/dam?pass%77ord=s3cret",
    ] {
        assert_eq!(PostgresConfig::shown(url), "postgres://ann@db.example/dam");
        assert!(PostgresConfig::has_password(url));
    }
    assert!(PostgresConfig::has_password("postgres://ann:x@db/dam"));
    assert!(!PostgresConfig::has_password("postgres://ann@db/dam?sslmode=require"));
}

#[test]
fn two_that_bring_the_same_bytes_at_once_end_with_one_asset_that_holds_them() {
    let Some(schema) = schema() else { return };
    let catalog = Catalog::open_postgres(&config(schema.url())).unwrap();
    for round in 0..20 {
        let names = [format!("{round}-a"), format!("{round}-b")];
        let wanted = |name: &String| Wanted { subject: name.clone(), ..jobs(1).remove(0) };
        catalog.enqueue(&names.each_ref().map(wanted)).unwrap();
        let assets = names.each_ref().map(|name| crate::contract::asset_of(name, &format!("bytes {round}")));
        std::thread::scope(|scope| {
            for (asset, master) in &assets {
                let catalog = &catalog;
                scope.spawn(move || {
                    let lease = catalog.claim(Stage::Transcode, "", "w", 60_000).unwrap().unwrap();
                    let facts = Facts { assets: vec![(asset.clone(), vec![master.clone()])], ..Facts::default() };
                    catalog.settle(&lease, &facts, None).unwrap();
                });
            }
        });
        let kept = assets.iter().filter(|(asset, _)| catalog.has_asset(asset.id).unwrap()).count();
        assert_eq!(kept, 1, "in round {round}");
    }
}

/// What the migrations make, by table and in order of name, without those of the migrations' own.
fn columns(schema: &Schema) -> Vec<(String, String, Option<String>)> {
    let mut client = postgres::Client::connect(schema.url(), postgres::NoTls).unwrap();
    let sql = "SELECT table_name::text, column_name::text, collation_name::text FROM information_schema.columns
               WHERE table_schema = current_schema() AND table_name NOT LIKE 'refinery%' ORDER BY 1, 2";
    client.query(sql, &[]).unwrap().iter().map(|r| (r.get(0), r.get(1), r.get(2))).collect()
}

#[test]
fn a_copy_takes_every_column_there_is() {
    let Some(schema) = schema() else { return };
    Catalog::open_postgres(&config(schema.url())).unwrap();
    let mut known: Vec<(String, String)> =
        TABLES.iter().flat_map(|(t, cs, _)| cs.iter().map(|c| ((*t).to_owned(), (*c).to_owned()))).collect();
    known.sort();
    let there = columns(&schema);
    assert_eq!(there.iter().map(|(t, c, _)| (t.clone(), c.clone())).collect::<Vec<_>>(), known);
    let other: Vec<_> = there.iter().filter(|(_, _, c)| c.as_deref().is_some_and(|c| c != "C")).collect();
    assert!(other.is_empty(), "{other:?} do not compare byte by byte");
}

#[test]
fn a_catalog_of_the_first_version_is_upgraded_with_what_it_holds() {
    let Some(schema) = schema() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("catalog.sqlite");
    let first = include_str!("../../src/catalog/migrations/V1__base.sql");
    let row = "INSERT INTO masters (digest, bytes, key, facts) VALUES ('d', 1, 'k', '{}');
               INSERT INTO drives (id, identity, label, root, created_at) VALUES ('0190a8a0-0000-7000-8000-000000000001', 'x', 'SHELF 1', '/mnt', 1)";
    // As the first version left it: its tables, and the record of its one migration.
    let history = "CREATE TABLE refinery_schema_history (version INTEGER PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255))";
    let now = dir.path().join("now.sqlite");
    SqliteDb::open(&now, Arc::new(FakeClock::at(1))).unwrap();
    let record = rusqlite::Connection::open(&now).unwrap().query_row(
        "SELECT name, checksum FROM refinery_schema_history WHERE version = 1",
        [],
        |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)),
    );
    let (name, checksum) = record.unwrap();
    let record =
        format!("INSERT INTO refinery_schema_history VALUES (1, '{name}', '2026-01-01T00:00:00Z', '{checksum}')");
    let sql = [first, row, history, record.as_str()].join(";\n");
    rusqlite::Connection::open(&file).unwrap().execute_batch(&sql).unwrap();
    postgres::Client::connect(schema.url(), postgres::NoTls).unwrap().batch_execute(&sql).unwrap();
    let sqlite = Catalog::new(Arc::new(SqliteDb::open(&file, Arc::new(FakeClock::at(1))).unwrap()));
    let server =
        Catalog::new(Arc::new(PostgresDb::open(&config(schema.url()), Some(Arc::new(FakeClock::at(1)))).unwrap()));
    for catalog in [&sqlite, &server] {
        assert_eq!(catalog.master_bytes().unwrap(), 1);
        assert_eq!(catalog.drive_rows().unwrap()[0].drive.label, "SHELF 1");
    }
    // Both came to the same.
    sqlite.compare(&server).unwrap();
}

fn files(dir: &std::path::Path, files: &[(&str, &str)]) -> std::path::PathBuf {
    let drive = dir.join("drive");
    std::fs::create_dir_all(&drive).unwrap();
    files.iter().for_each(|(name, text)| std::fs::write(drive.join(name), text).unwrap());
    drive
}

fn use_catalog(archive: &Archive, place: &str) {
    std::fs::write(archive.root().join("damctl.yaml"), format!("catalog: {place}\n")).unwrap();
}

#[test]
fn an_archive_moves_to_postgresql_and_back_and_works_in_both() {
    let (Some(there), Some(back)) = (schema(), schema()) else { return };
    let (archive, dir) = (Archive::new(), scratch());
    let drive = files(dir.path(), &[("a.txt", "one"), ("b.txt", "two"), ("c.txt", "one")]);
    archive.ingest(&drive).0.ends(0);
    let file = archive.root().join("catalog.sqlite").display().to_string();
    archive.run(["catalog", "copy", &file, there.url()]).ends(0).says("sightings             3");
    // Again: nothing to do, and nothing is wrong.
    archive.run(["catalog", "copy", &file, there.url()]).ends(0);
    // On with the server: what is there is not read again, what is new is.
    use_catalog(&archive, there.url());
    std::fs::write(drive.join("d.txt"), "three").unwrap();
    archive.ingest(&drive).0.ends(0);
    let status = archive.json(["status", "--json"]);
    assert_eq!(status["assets"][0]["assets"], 3, "{status}");
    archive.run(["events"]).ends(0).says("job.done");
    archive.run([OsStr::new("certificate"), drive.as_os_str()]).ends(0);
    archive.run(["catalog", "copy", there.url(), back.url()]).ends(0);
    let fresh = archive.root().join("back.sqlite").display().to_string();
    archive.run(["catalog", "copy", back.url(), &fresh]).ends(0);
    use_catalog(&archive, "back.sqlite");
    archive.ingest(&drive).0.ends(0);
    // A catalog of something else is left alone.
    let (other, dir) = (Archive::new(), scratch());
    other.ingest(&files(dir.path(), &[("x.txt", "something else")])).0.ends(0);
    let file = other.root().join("catalog.sqlite").display().to_string();
    other.run(["catalog", "copy", &file, there.url()]).ends(2).says("holds other things");
}

#[test]
fn a_password_is_taken_from_the_environment_and_never_shown() {
    let archive = Archive::new();
    use_catalog(&archive, "postgres://ann:s3cret@127.0.0.1:1/dam");
    let refused = archive.run(["status"]).ends(2).says("holds a password");
    assert!(!refused.stderr.contains("s3cret"), "{}", refused.stderr);
    let shown = archive.command(["config", "show"]).env("DAMCTL_CATALOG", "postgres://ann:s3cret@h/dam").output();
    let shown = String::from_utf8(shown.unwrap().stdout).unwrap();
    assert!(shown.contains("postgres://ann@h/dam") && !shown.contains("s3cret"), "{shown}");
    use_catalog(&archive, "catalog.sqlite");
    let refused = archive.run(["catalog", "copy", "postgres://a:s3cret@127.0.0.1:1/x", "y.sqlite"]).ends(2);
    assert!(refused.stderr.contains("PGPASSWORD") && !refused.stderr.contains("s3cret"), "{}", refused.stderr);
}

#[test]
fn a_worker_of_another_machine_is_refused_a_sqlite_catalog_in_words() {
    let (archive, dir) = (Archive::new(), scratch());
    let drive = files(dir.path(), &[("a.txt", "one")]);
    archive.ingest(&drive).0.ends(0);
    let sql = "UPDATE jobs SET state = 'leased', worker = 'elsewhere/1/1', lease_until = 9000000000000";
    archive.catalog().execute_batch(sql).unwrap();
    std::fs::write(drive.join("b.txt"), "two").unwrap();
    archive.ingest(&drive).0.ends(2).says("for one machine").says("postgres://");
}

#[test]
fn an_upgrade_that_was_killed_after_its_migrations_is_brought_to_its_end() {
    let Some(schema) = schema() else { return };
    Catalog::open_postgres(&config(schema.url())).unwrap();
    let undo = "ALTER TABLE news ALTER COLUMN id DROP DEFAULT; ALTER TABLE masters ALTER COLUMN key TYPE TEXT COLLATE \"POSIX\"";
    postgres::Client::connect(schema.url(), postgres::NoTls).unwrap().batch_execute(undo).unwrap();
    let catalog = Catalog::open_postgres(&config(schema.url())).unwrap();
    catalog.enqueue(&jobs(1)).unwrap();
    catalog.claim(Stage::Transcode, "", "w", 60_000).unwrap().unwrap();
    assert_eq!(catalog.events_after(0, 10).unwrap().len(), 2);
    assert!(columns(&schema).iter().all(|(_, _, c)| c.as_deref().is_none_or(|c| c == "C")));
}

#[test]
fn who_may_only_read_sees_the_status_and_who_may_not_make_tables_is_told_so() {
    let Some(schema) = schema() else { return };
    let role = format!("r_{}", uuid::Uuid::new_v4().simple());
    let server = std::env::var("DAMCTL_TEST_POSTGRES").unwrap();
    Schema::run(&server, &format!("CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {} TO {role}", schema.name));
    let url = schema.url().replace("postgres@", &format!("{role}@"));
    let refused = Catalog::open_postgres(&config(&url)).map(drop).unwrap_err();
    assert_eq!(refused.kind(), Kind::Invalid);
    assert!(refused.hint_text().unwrap().contains("CREATE"), "{refused:?}");
    Catalog::open_postgres(&config(schema.url())).unwrap();
    Schema::run(&server, &format!("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {role}", schema.name));
    let catalog = Catalog::open_postgres(&config(&url)).unwrap();
    assert_eq!(catalog.census(1000).unwrap().workers, []);
    Schema::run(&server, &format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn a_backup_of_a_server_at_work_is_of_one_moment_and_comes_back() {
    let (Some(schema), Some(other)) = (schema(), schema()) else { return };
    let catalog = Catalog::open_postgres(&config(schema.url())).unwrap();
    let (dir, is_over) = (scratch(), AtomicBool::new(false));
    let file = |i: i32| dir.path().join(format!("backup-{i}"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0.. {
                let subject = format!("job {i}");
                let (scope, recipe, task) = ("backup".to_owned(), String::new(), serde_json::Value::Null);
                let wanted = Wanted { stage: Stage::Transcode, scope, subject, recipe, task, priority: 0 };
                catalog.enqueue(&[wanted]).unwrap();
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        for i in 0..4 {
            catalog.back_up(&file(i)).unwrap();
        }
        is_over.store(true, Ordering::SeqCst);
    });
    let mut before = 0;
    for i in 0..4 {
        let db = rusqlite::Connection::open(file(i)).unwrap();
        let count = |sql: &str| crate::harness::rows(&db, sql).remove(0).parse::<i64>().unwrap();
        let (jobs, told) = (
            count("SELECT COUNT(*) FROM jobs"),
            count("SELECT (SELECT COUNT(*) FROM events) + (SELECT COUNT(*) FROM news)"),
        );
        // A job and its event are written together.
        assert!(jobs == told && jobs >= before, "{jobs} jobs, {told} events, {before} before");
        before = jobs;
    }
    let restored = Catalog::open_postgres(&config(other.url())).unwrap();
    restored.restore_from(&file(3)).unwrap();
    let backup = Catalog::open_sqlite(&file(3)).unwrap();
    backup.compare(&restored).unwrap();
}
