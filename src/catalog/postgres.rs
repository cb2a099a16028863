//! The catalog in PostgreSQL, for many hosts: pooled connections, TLS, time-outs, and patience while the server is away.
//!
//! Transactions run at READ COMMITTED. What SQLite gives by letting one writer in at a time is had here by statements
//! that carry their own condition, by unique keys, and by [`Tx::lock`] where a decision is read before it is written.

mod frozen;
mod passfile;

use std::{
    collections::HashMap,
    path::PathBuf,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use postgres::{
    Client, NoTls, Statement,
    config::{Host, SslMode},
    error::SqlState,
    types::{IsNull, ToSql, Type, private::BytesMut},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    Clock,
    db::{Db, Row, Tx, Value},
    migrations,
};
use crate::{
    error::{Error, Kind, Result},
    stop::Stop,
};

/// The port of a URL that names none.
const PORT: u16 = 5432;

/// What to do when it does not answer.
const AWAY: &str = "run the same command again when the server is back; what was done is kept";

/// How long a connection is waited for before it is looked whether to go on waiting.
const LOOK: Duration = Duration::from_secs(2);

/// How often a transaction that lost against others is tried again.
const CONFLICTS: u32 = 20;

/// How long a reading of the server's clock is good for; between two, this machine's monotonic clock counts on.
const CLOCK_GOOD_FOR: Duration = Duration::from_secs(30);

/// Where a PostgreSQL catalog is, and how it is reached.
#[derive(Clone)]
pub struct PostgresConfig {
    /// `postgres://USER@HOST:PORT/DATABASE?…`, as libpq has it; `sslrootcert` names a PEM file of certificates to trust.
    pub url: String,
    /// The password, when the URL holds none.
    pub password: Option<String>,
    /// Passwords by host, as libpq's `.pgpass` has them.
    pub passfile: Option<PathBuf>,
    /// Connections at a time, at most.
    pub connections: u32,
    /// How long to wait for a server that is away, or that has no connection left.
    pub patience: Duration,
    /// Once this is tripped, a server that is away is not waited for much longer.
    pub stop: Stop,
}

impl PostgresConfig {
    /// The server at this address, with eight connections and half a minute of patience.
    pub fn new(url: &str) -> Self {
        let patience = Duration::from_secs(30);
        Self { url: url.to_owned(), password: None, passfile: None, connections: 8, patience, stop: Stop::new() }
    }

    /// The address as it may be shown: user, hosts and database, and nothing else of it.
    pub fn shown(url: &str) -> String {
        let Ok(config) = postgres::Config::from_str(&split_url(url).0) else { return "postgres://…".to_owned() };
        let host = |(i, host): (usize, &Host)| {
            let name = match host {
                Host::Tcp(name) => name.clone(),
                Host::Unix(path) => path.display().to_string(),
            };
            match config.get_ports().get(i).or(config.get_ports().first()) {
                Some(port) if *port != PORT => format!("{name}:{port}"),
                _ => name,
            }
        };
        let hosts: Vec<String> = config.get_hosts().iter().enumerate().map(host).collect();
        let user = config.get_user().map(|user| format!("{user}@")).unwrap_or_default();
        format!("postgres://{user}{}/{}", hosts.join(","), config.get_dbname().unwrap_or_default())
    }

    /// Whether the address holds a password, or cannot be read and so may hold one.
    pub fn has_password(url: &str) -> bool {
        postgres::Config::from_str(&split_url(url).0).map_or(true, |config| config.get_password().is_some())
    }
}

/// A PostgreSQL database, or one schema of it.
pub struct PostgresDb {
    config: PostgresConfig,
    pool: r2d2::Pool<Server>,
    patience: Patience,
    clock: ServerClock,
}

impl PostgresDb {
    /// Opens the catalog at an address, making and upgrading it as needed. `clock` stands in for the server's.
    ///
    /// A wrong address, user or password is `Invalid`, a server that does not answer `Unavailable`.
    pub fn open(config: &PostgresConfig, clock: Option<Arc<dyn Clock>>) -> Result<Self> {
        let server = Server::new(config)?;
        let place = PostgresConfig::shown(&config.url);
        // The first connection is made by hand: what is wrong for good is said at once, and not waited for.
        let open = || server.open().and_then(|mut first| upgrade(&mut first.client));
        let patience = Patience { most: config.patience, stop: config.stop.clone() };
        until(&patience, open, |e| e.kind() == Kind::Unavailable).map_err(|e| at(&place, e))?;
        let pool = r2d2::Pool::builder()
            .max_size(config.connections.max(1))
            .min_idle(Some(0))
            // A connection that is broken is found out when it is used, and what it was used for is done again.
            .test_on_check_out(false)
            .error_handler(Box::new(r2d2::NopErrorHandler))
            .build_unchecked(server);
        let clock = match clock {
            Some(clock) => ServerClock::Given(clock),
            None => ServerClock::Read(Mutex::default()),
        };
        Ok(Self { config: config.clone(), pool, patience, clock })
    }

    /// Runs `work` on a connection; again, when the connection broke or the transaction lost against others.
    fn with<T>(&self, work: &mut dyn FnMut(&mut Session) -> Outcome<T>) -> Result<T> {
        let (began, mut conflicts, mut pause) = (Instant::now(), 0, Duration::from_millis(5));
        loop {
            let mut session = match self.pool.get_timeout(LOOK) {
                Ok(session) => session,
                Err(_) if self.patience.lasts(began) => continue,
                Err(e) => {
                    return Err(Error::unavailable("the catalog's server gives no connection").because(e).hint(AWAY));
                }
            };
            let again = match work(&mut session) {
                Ok(done) => return Ok(done),
                Err(Failed::Ours(e)) => return Err(e),
                Err(Failed::Server(e)) => e,
            };
            let is_worth_it = match fate(&again) {
                Fate::Conflict => {
                    conflicts += 1;
                    // A statement that was prepared before an upgrade may be what does not fit.
                    session.statements.clear();
                    conflicts <= CONFLICTS
                }
                Fate::Away => self.patience.lasts(began),
                Fate::Final => false,
            };
            if !is_worth_it {
                return Err(describe(again, "the catalog refused a statement"));
            }
            drop(session);
            std::thread::sleep(pause.mul_f64(0.5 + jitter()));
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }
}

fn at(place: &str, e: Error) -> Error {
    let hint = e.hint_text().map(str::to_owned);
    let told = Error::new(e.kind(), format!("cannot open the catalog {place}")).because(e);
    match hint {
        Some(hint) => told.hint(hint),
        None => told,
    }
}

/// How long a server is waited for.
struct Patience {
    most: Duration,
    stop: Stop,
}

impl Patience {
    /// Whether to go on with what began then. Whoever is told to stop may have jobs to give back first.
    fn lasts(&self, began: Instant) -> bool {
        began.elapsed() < if self.stop.is_tripped() { self.most.min(LOOK) } else { self.most }
    }
}

/// Tries until it works, time is up, or it failed in a way that does not pass.
fn until<T>(patience: &Patience, work: impl Fn() -> Result<T>, passes: impl Fn(&Error) -> bool) -> Result<T> {
    let (began, mut pause) = (Instant::now(), Duration::from_millis(100));
    loop {
        match work() {
            Err(e) if passes(&e) && patience.lasts(began) => std::thread::sleep(pause),
            other => return other,
        }
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

/// Between 0 and 1, so that those who collided do not meet again.
fn jitter() -> f64 {
    f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 256.0
}

/// Brings the tables up to date. One program at a time does so; the others wait, and find nothing left to do.
fn upgrade(client: &mut Client) -> Result<()> {
    let failed = |e| describe(e, "the catalog's server refused an upgrade");
    // Most find nothing to do; who may only read gets by without.
    let known = migrations::runner().get_migrations().iter().map(|m| i64::from(m.version())).max();
    let newest = |client: &mut Client| -> std::result::Result<Option<i64>, postgres::Error> {
        let there = client.query_one("SELECT to_regclass('refinery_schema_history') IS NOT NULL", &[])?;
        if !there.get::<_, bool>(0) {
            return Ok(None);
        }
        let sql = "SELECT CAST(MAX(version) AS BIGINT) FROM refinery_schema_history";
        client.query_one(sql, &[]).map(|row| row.get(0))
    };
    let found = newest(client).map_err(failed)?;
    if found.is_some() && found == known {
        // Whoever upgraded them may have been killed before all was done that follows the migrations.
        let sql = "SELECT NOT EXISTS (
                       SELECT 1 FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                       WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relname NOT LIKE 'refinery%'
                         AND a.attnum > 0 AND NOT a.attisdropped
                         AND (a.atttypid = 'text'::regtype AND a.attcollation <> '\"C\"'::regcollation
                              OR c.relname = 'news' AND a.attname = 'id' AND NOT a.atthasdef))";
        if client.query_one(sql, &[]).map_err(failed)?.get(0) {
            return Ok(());
        }
    }
    if found > known {
        return Err(Error::invalid("the catalog's tables are those of a newer damctl")
            .hint("use that one: tables are never made older again"));
    }
    // An upgrade of many rows may take its time.
    client.batch_execute("SET statement_timeout = 0; SET lock_timeout = 0").map_err(failed)?;
    let lock = format!("SELECT pg_advisory_lock({})", lock_number("upgrade"));
    client.batch_execute(&lock).map_err(failed)?;
    migrations::runner().run(client).map_err(|e| {
        let doing = "the catalog's server refused an upgrade";
        match server_error(&e).map(verdict) {
            Some((kind, Some(hint))) => Error::new(kind, doing).because(e).hint(hint),
            Some((kind, None)) => Error::new(kind, doing).because(e),
            None => Error::invalid("the catalog's tables are not those of this program")
                .because(e)
                .hint("the database may hold something else than a catalog"),
        }
    })?;
    // Keys and ids are compared byte by byte, whatever language the database was made for.
    let sql = "SELECT table_name, column_name FROM information_schema.columns
               WHERE table_schema = current_schema() AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'
                 AND table_name NOT LIKE 'refinery%' ORDER BY table_name, ordinal_position";
    let mut alter = String::new();
    for row in client.query(sql, &[]).map_err(failed)? {
        let (table, column): (String, String) = (row.get(0), row.get(1));
        alter.push_str(&format!("ALTER TABLE \"{table}\" ALTER COLUMN \"{column}\" TYPE TEXT COLLATE \"C\";\n"));
    }
    // What is written in the migrations for both databases has no way to say so.
    alter.push_str(
        "CREATE SEQUENCE IF NOT EXISTS news_id OWNED BY news.id;
         ALTER TABLE news ALTER COLUMN id SET DEFAULT nextval('news_id');",
    );
    client.batch_execute(&alter).map_err(failed)?;
    client.batch_execute("SELECT pg_advisory_unlock_all()").map_err(failed)
}

/// The number that PostgreSQL knows a lock of ours by: one of this schema's, whatever the database holds besides.
fn lock_number(name: &str) -> String {
    format!("hashtextextended('damctl ' || current_schema() || ' {name}', 0)")
}

/// How connections are made.
struct Server {
    config: postgres::Config,
    tls: MakeRustlsConnect,
}

impl Server {
    fn new(given: &PostgresConfig) -> Result<Self> {
        let (url, root) = split_url(&given.url);
        let mut config = postgres::Config::from_str(&url).map_err(|e| {
            // The parser may quote what it was given: only its kind of complaint is passed on.
            Error::invalid("the catalog's address cannot be read")
                .because(std::io::Error::other(e.to_string().split(':').next().unwrap_or_default().to_owned()))
                .hint("expected postgres://USER@HOST:PORT/DATABASE")
        })?;
        let is_local = config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()),
            Host::Unix(_) => true,
        });
        if !url.contains("sslmode=") {
            // What leaves the machine is encrypted, unless somebody says that it need not be.
            config.ssl_mode(if is_local { SslMode::Disable } else { SslMode::Require });
        }
        if config.get_user().is_none() {
            config.user(&std::env::var("USER").unwrap_or_else(|_| "damctl".to_owned()));
        }
        if config.get_password().is_none() {
            let password = match (&given.password, &given.passfile) {
                (Some(password), _) => Some(password.clone()),
                (None, Some(file)) => passfile::password(&passfile::read(file)?, &config),
                (None, None) => None,
            };
            if let Some(password) = password {
                config.password(password);
            }
        }
        config
            .application_name("damctl")
            .connect_timeout(Duration::from_secs(10))
            .keepalives_idle(Duration::from_secs(30))
            .tcp_user_timeout(Duration::from_secs(60));
        Ok(Self { config, tls: MakeRustlsConnect::new(trust(root.as_deref())?) })
    }

    fn open(&self) -> Result<Session> {
        let failed = |e| describe(e, "the catalog's server cannot be used");
        let mut client = match self.config.get_ssl_mode() {
            SslMode::Disable => self.config.connect(NoTls),
            _ => self.config.connect(self.tls.clone()),
        }
        .map_err(failed)?;
        // A statement that hangs, or a client that went away in the middle, must not hold up everybody else.
        client
            .batch_execute(
                "SET default_transaction_isolation = 'read committed'; SET statement_timeout = '10min';
                 SET lock_timeout = '1min'; SET idle_in_transaction_session_timeout = '1min'",
            )
            .map_err(failed)?;
        Ok(Session { client, statements: HashMap::new() })
    }
}

/// The address as the driver takes it, and the certificates it names. The driver knows `disable`, `prefer` and `require`;
/// with it, every certificate is verified, so the stricter words of libpq are the same as `require`.
fn split_url(url: &str) -> (String, Option<PathBuf>) {
    let Some((place, query)) = url.split_once('?') else { return (url.to_owned(), None) };
    let mut root = None;
    let mut kept = Vec::new();
    for part in query.split('&') {
        match part.split_once('=') {
            Some(("sslrootcert", path)) => root = Some(PathBuf::from(path)),
            Some(("sslmode", "verify-ca" | "verify-full")) => kept.push("sslmode=require"),
            _ => kept.push(part),
        }
    }
    (format!("{place}?{}", kept.join("&")), root)
}

/// Whose certificates are believed: those of a file, else the system's.
fn trust(file: Option<&std::path::Path>) -> Result<rustls::ClientConfig> {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    let mut roots = rustls::RootCertStore::empty();
    match file {
        Some(file) => {
            let unreadable = |why: String| {
                Error::invalid(format!("cannot read certificates from {}: {why}", file.display()))
                    .hint("'sslrootcert' names a PEM file")
            };
            for certificate in CertificateDer::pem_file_iter(file).map_err(|e| unreadable(e.to_string()))? {
                roots
                    .add(certificate.map_err(|e| unreadable(e.to_string()))?)
                    .map_err(|e| unreadable(e.to_string()))?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::internal("no TLS").because(e))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

impl r2d2::ManageConnection for Server {
    type Connection = Session;
    type Error = Error;

    fn connect(&self) -> Result<Session> {
        // The pool tells only what is on the surface.
        self.open().map_err(|e| Error::new(e.kind(), e.one_line()))
    }

    fn is_valid(&self, session: &mut Session) -> Result<()> {
        session.client.is_valid(Duration::from_secs(10)).map_err(|e| describe(e, "the connection is broken"))
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        session.client.is_closed()
    }
}

/// A connection with what was prepared on it.
struct Session {
    client: Client,
    statements: HashMap<String, Statement>,
}

/// Why something did not work: for a reason of the caller's, or the server's.
enum Failed {
    Ours(Error),
    Server(postgres::Error),
}

type Outcome<T> = std::result::Result<T, Failed>;

/// What to do about an error of the server's.
enum Fate {
    /// The transaction lost against others, and was taken back: do it again.
    Conflict,
    /// The server or the way to it is gone: do it again when it is back.
    Away,
    /// It stays so.
    Final,
}

/// Whether it is the connection that failed, not what was said over it.
fn is_broken(e: &postgres::Error) -> bool {
    let mut cause = std::error::Error::source(e);
    let mut is_io = false;
    while let Some(c) = cause {
        is_io |= c.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() != std::io::ErrorKind::InvalidData);
        cause = c.source();
    }
    e.is_closed() || is_io
}

fn fate(e: &postgres::Error) -> Fate {
    let Some(code) = e.code() else { return if is_broken(e) { Fate::Away } else { Fate::Final } };
    match code.code() {
        "40001" | "40P01" | "23505" | "0A000" => Fate::Conflict,
        // Shut down, crashed, starting up, too many connections; connection exceptions.
        "57P01" | "57P02" | "57P03" | "53300" => Fate::Away,
        code if code.starts_with("08") => Fate::Away,
        _ => Fate::Final,
    }
}

/// The server's part of an error, however deep it lies.
fn server_error<'e>(e: &'e (dyn std::error::Error + 'static)) -> Option<&'e postgres::Error> {
    let mut cause = Some(e);
    while let Some(c) = cause {
        if let Some(found) = c.downcast_ref() {
            return Some(found);
        }
        cause = c.source();
    }
    None
}

fn describe(e: postgres::Error, doing: &str) -> Error {
    let (kind, hint) = verdict(&e);
    let told = Error::new(kind, doing).because(e);
    match hint {
        Some(hint) => told.hint(hint),
        None => told,
    }
}

/// What a user can do about an error of the server's.
fn verdict(e: &postgres::Error) -> (Kind, Option<&'static str>) {
    match e.code() {
        None if is_broken(e) => (Kind::Unavailable, Some(AWAY)),
        None => (
            Kind::Invalid,
            Some(
                "it is about TLS or the password: 'sslrootcert' names certificates to trust, 'sslmode=disable' does \
                 without TLS in a network that is trusted, PGPASSWORD or PGPASSFILE give the password",
            ),
        ),
        Some(code) if *code == SqlState::DISK_FULL => {
            (Kind::Paused, Some("the catalog's disk is full: free some space, then run the same command again"))
        }
        Some(code) if *code == SqlState::READ_ONLY_SQL_TRANSACTION => {
            (Kind::Paused, Some("the server is a standby, or read-only: name the primary"))
        }
        Some(code) => match code.code() {
            "28000" | "28P01" => {
                (Kind::Invalid, Some("check the user of the address, and its password in PGPASSWORD or PGPASSFILE"))
            }
            "3D000" => (Kind::Invalid, Some("'createdb' makes a database")),
            "42501" => (
                Kind::Invalid,
                Some("the user of the address lacks a right: to make and upgrade the tables, CREATE on the schema"),
            ),
            "57P01" | "57P02" | "57P03" => (Kind::Unavailable, Some(AWAY)),
            "53300" => (Kind::Unavailable, Some("raise the server's max_connections, or lower 'catalog_connections'")),
            "57014" | "55P03" => (Kind::Unavailable, Some("the server is slow, or somebody holds a lock: try again")),
            "40001" | "40P01" | "23505" => (Kind::Unavailable, Some("others were faster each time: try again")),
            code if code.starts_with("08") => (Kind::Unavailable, Some(AWAY)),
            _ => (Kind::Internal, None),
        },
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(v) if *ty == Type::INT4 => i32::try_from(*v)?.to_sql(ty, out),
            Value::Int(v) if *ty == Type::INT2 => i16::try_from(*v)?.to_sql(ty, out),
            Value::Int(v) if *ty == Type::INT8 => v.to_sql(ty, out),
            Value::Int(v) => Err(format!("the number {v} for a column of type {ty}").into()),
            // The one character that PostgreSQL has no place for.
            Value::Text(v) if v.contains('\0') => v.replace('\0', "\u{fffd}").to_sql(ty, out),
            Value::Text(v) => v.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        [Type::INT8, Type::INT4, Type::INT2, Type::TEXT, Type::VARCHAR, Type::NAME, Type::UNKNOWN].contains(ty)
    }

    postgres::types::to_sql_checked!();
}

fn rows(found: &[postgres::Row]) -> Result<Vec<Row>> {
    let cell = |row: &postgres::Row, i: usize| {
        let ty = row.columns()[i].type_();
        let value = match *ty {
            Type::INT8 => row.get::<_, Option<i64>>(i).map(Value::Int),
            Type::INT4 => row.get::<_, Option<i32>>(i).map(|v| Value::Int(v.into())),
            Type::TEXT | Type::VARCHAR | Type::NAME => row.get::<_, Option<String>>(i).map(Value::Text),
            _ => return Err(Error::internal(format!("column {i} is of type {ty}"))),
        };
        Ok(value.unwrap_or(Value::Null))
    };
    found.iter().map(|row| Ok(Row((0..row.len()).map(|i| cell(row, i)).collect::<Result<_>>()?))).collect()
}

/// `?1` as PostgreSQL has it: `$1`.
fn numbered(sql: &str) -> String {
    sql.replace('?', "$")
}

fn parameters(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|v| v as &(dyn ToSql + Sync)).collect()
}

struct PostgresTx<'a> {
    tx: postgres::Transaction<'a>,
    statements: &'a mut HashMap<String, Statement>,
    /// What the server said, when it said no: the transaction is void from there on.
    failed: Option<postgres::Error>,
}

impl PostgresTx<'_> {
    fn run<T>(
        &mut self,
        sql: &str,
        work: impl FnOnce(&mut postgres::Transaction<'_>, &Statement) -> std::result::Result<T, postgres::Error>,
    ) -> Result<T> {
        let outcome = match self.statements.get(sql) {
            Some(statement) => work(&mut self.tx, statement),
            None => self.tx.prepare(&numbered(sql)).and_then(|statement| {
                let statement = self.statements.entry(sql.to_owned()).or_insert(statement);
                work(&mut self.tx, statement)
            }),
        };
        outcome.map_err(|e| {
            // Whoever called ends; what is done about it is decided where the transaction began.
            let told = Error::unavailable("the catalog's server refused a statement");
            self.failed.get_or_insert(e);
            told
        })
    }
}

impl Tx for PostgresTx<'_> {
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64> {
        self.run(sql, |tx, statement| tx.execute(statement, &parameters(values)))
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
        rows(&self.run(sql, |tx, statement| tx.query(statement, &parameters(values)))?)
    }

    fn is_alone(&self) -> bool {
        false
    }

    fn lock(&mut self, name: &str) -> Result<()> {
        let sql = "SELECT CAST(pg_advisory_xact_lock(hashtextextended('damctl ' || current_schema() || ' ' || CAST(?1 AS TEXT), 0)) AS TEXT)";
        self.execute(sql, &[name.into()]).map(drop)
    }
}

impl Db for PostgresDb {
    fn save(&self, _: &std::path::Path) -> Result<Option<Box<dyn Db>>> {
        Ok(Some(Box::new(frozen::freeze(&self.config)?)))
    }

    fn with_tx(&self, work: &mut dyn FnMut(&mut dyn Tx) -> Result<()>) -> Result<()> {
        self.with(&mut |session| {
            let tx = session.client.transaction().map_err(Failed::Server)?;
            let mut tx = PostgresTx { tx, statements: &mut session.statements, failed: None };
            let done = work(&mut tx);
            if let Some(e) = tx.failed {
                return Err(Failed::Server(e));
            }
            done.map_err(Failed::Ours)?;
            crate::crash::point("catalog.before-commit");
            tx.tx.commit().map_err(Failed::Server)?;
            crate::crash::point("catalog.after-commit");
            Ok(())
        })
    }

    fn change(&self, sql: &str, then: &[&str], values: &[Value]) -> Result<Vec<Row>> {
        let then: String = then.iter().zip(1..).map(|(sql, n)| format!(", then{n} AS ({sql})")).collect();
        crate::crash::point("catalog.before-commit");
        let changed = self.query(&format!("WITH changed AS ({sql}){then} SELECT * FROM changed"), values)?;
        crate::crash::point("catalog.after-commit");
        Ok(changed)
    }

    fn query(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
        self.with(&mut |session| {
            let statement = match session.statements.get(sql) {
                Some(statement) => statement.clone(),
                None => {
                    let statement = session.client.prepare(&numbered(sql)).map_err(Failed::Server)?;
                    session.statements.insert(sql.to_owned(), statement.clone());
                    statement
                }
            };
            let found = session.client.query(&statement, &parameters(values)).map_err(Failed::Server)?;
            rows(&found).map_err(Failed::Ours)
        })
    }

    fn now(&self) -> Result<i64> {
        match &self.clock {
            ServerClock::Given(clock) => Ok(clock.now_ms()),
            ServerClock::Read(reading) => {
                let mut reading = reading.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((at, since)) = *reading
                    && since.elapsed() < CLOCK_GOOD_FOR
                {
                    return Ok(at + since.elapsed().as_millis() as i64);
                }
                let asked = Instant::now();
                let sql = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
                let found = self.query(sql, &[])?;
                let row = found.first().ok_or_else(|| Error::internal("a clock without a row"))?;
                // It was read somewhere between question and answer.
                let at = row.int(0)? - (asked.elapsed() / 2).as_millis() as i64;
                *reading = Some((at, asked));
                Ok(at + asked.elapsed().as_millis() as i64)
            }
        }
    }

    fn look_again(&self, table: &'static str) -> Result<()> {
        self.with(&mut |session| session.client.batch_execute(&format!("ANALYZE {table}")).map_err(Failed::Server))
    }

    fn is_of_one_machine(&self) -> bool {
        false
    }

    fn claim_suffix(&self) -> &'static str {
        " FOR UPDATE SKIP LOCKED"
    }

    fn json_of(&self) -> &'static str {
        "to_json"
    }
}

/// The time that all hosts agree on.
enum ServerClock {
    /// A stand-in.
    Given(Arc<dyn Clock>),
    /// The server's, as it was read at a moment of this machine's monotonic clock.
    Read(Mutex<Option<(i64, Instant)>>),
}
