//! Where things are and how many work on them, resolved once: defaults, then the user's file, the archive's
//! damctl.yaml, `DAMCTL_*` variables and flags, the later before the earlier. Commands see only the result.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use damctl::{
    error::{Doing, Error, Kind, Result},
    secret::{Environment, FileKey, SecretFile, Secrets},
};
use serde::Deserialize;

/// The archive's configuration file.
pub const FILE: &str = "damctl.yaml";

/// Kept by browsers and networks for ever, for nothing under a key ever changes.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// Every setting: its name, its default and what it is.
pub const KEYS: [(&str, &str, &str); 56] = [
    ("catalog", "catalog.sqlite", "the catalog's file; or postgres://USER@HOST/DATABASE, for more than one machine"),
    ("catalog_connections", "8", "connections to a PostgreSQL catalog at a time, for each process"),
    ("store", "store", "the folder, or s3://BUCKET/PREFIX, that holds masters and renditions"),
    ("store_renditions", "", "another s3://BUCKET/PREFIX for renditions; empty: that of 'store'"),
    ("store_delivery", "", "another s3://BUCKET/PREFIX for delivery; empty: that of 'store'"),
    (
        "replicas",
        "",
        "folders and s3://BUCKET/PREFIX, with commas between them, that hold copies of the masters ('damctl replicate')",
    ),
    (
        "archive_folder",
        "",
        "the folder, mostly on another disk, that masters go to from a store in a folder ('damctl archive'); empty: none",
    ),
    ("s3_endpoint", "", "the S3 server, such as http://127.0.0.1:7480; empty: AWS"),
    ("s3_region", "", "its region; empty: what the AWS environment or profile says"),
    ("s3_profile", "", "a profile of the AWS configuration files; credentials come by the AWS chain, never from here"),
    ("s3_path_style", "auto", "whether the bucket stands in the path: true, false, or auto (true with an endpoint)"),
    ("s3_ca_bundle", "", "a PEM file of certificates to trust instead of the system's"),
    ("s3_part_size", "0", "MiB of a part, 5 to 5120; 0: from the file's size, 8 at least"),
    ("s3_in_flight", "4", "parts or small objects on their way at a time, for each job"),
    ("s3_timeout", "60", "seconds to wait for an answer before a request is sent again; longer for large parts"),
    ("s3_masters_encryption", "", "server-side encryption of masters: AES256, aws:kms or aws:kms KEY"),
    ("s3_masters_storage_class", "", "storage class of masters, such as STANDARD_IA"),
    ("s3_masters_acl", "", "canned ACL of masters; empty: only the bucket's owner reads them"),
    ("s3_masters_cache_control", "", "Cache-Control of masters; empty: none is sent"),
    ("s3_masters_lock", "", "object lock of new masters ('damctl store policy'): governance 30d or compliance 365d"),
    (
        "s3_archive_class",
        "",
        "storage class of archived masters ('damctl archive'): GLACIER, DEEP_ARCHIVE, GLACIER_IR, or the server's own",
    ),
    ("s3_renditions_encryption", "", "server-side encryption of renditions, as of masters"),
    ("s3_renditions_storage_class", "", "storage class of renditions, such as STANDARD_IA"),
    ("s3_renditions_acl", "", "canned ACL of renditions, such as public-read"),
    ("s3_renditions_cache_control", FOREVER, "Cache-Control of renditions; empty: none is sent"),
    ("s3_delivery_encryption", "", "server-side encryption of delivery, as of masters"),
    ("s3_delivery_storage_class", "", "storage class of delivery, such as STANDARD_IA"),
    ("s3_delivery_acl", "", "canned ACL of delivery, such as public-read"),
    ("s3_delivery_cache_control", FOREVER, "Cache-Control of delivery; empty: none is sent"),
    (
        "delivery_expires",
        "web 60d, social 90d, tv 365d",
        "folders of delivery and after how many days what lies there goes ('damctl store policy'); empty: never",
    ),
    ("index", "index", "the folder of the search index"),
    ("scratch", "scratch", "the folder for work in progress; on the store's disk, outputs are moved and not copied"),
    ("quarantine", "quarantine", "the folder for outputs that the acceptance gate refused"),
    (
        "keep",
        "",
        "how long 'collect' keeps renditions, by their entries: proxy* 90d, thumb* 180d; empty: for as long as they are wanted",
    ),
    ("profile", "", "the profile's file; empty: the built-in newsroom matrix"),
    ("models", "models", "the folder of the models that learning needs; machines that share it get each once"),
    ("channels", "channels.yaml", "the file that says where things are published"),
    ("synonyms", "", "a file of words that stand for each other in searches; empty: none"),
    ("workers", "0", "jobs at a time; 0: one a core"),
    ("lease", "60", "seconds that a claim on a job holds without a heartbeat"),
    ("memory", "6144", "MiB of address space that one renderer may use"),
    ("stall", "60", "seconds without progress before a renderer counts as hung"),
    ("webhook", "", "the address that hears of every event by HTTP; one that is a secret stands in DAMCTL_WEBHOOK"),
    ("nats", "", "the NATS server that hears of every event, such as nats://127.0.0.1:4222"),
    ("nats_stream", "", "the JetStream stream that keeps them; empty: who is not there misses them"),
    (
        "secrets",
        "env",
        "where secrets of accounts are kept: env (DAMCTL_SECRET_…), file:PATH (encrypted), vault:https://HOST:8200/MOUNT/PREFIX",
    ),
    (
        "secrets_key_file",
        "",
        "the key of an encrypted file of secrets; empty: secrets.key beside the user's config.yaml",
    ),
    ("listen", "127.0.0.1:7878", "address and port of serve-search"),
    (
        "anonymous",
        "here",
        "who asks serve-search without a token: nobody, here (this machine), viewer or editor (anybody)",
    ),
    (
        "trusted_proxies",
        "",
        "proxies whose X-Forwarded-For is believed, as addresses or networks: 10.0.0.5, 10.1.0.0/16; empty: none",
    ),
    (
        "territory",
        "",
        "the country (ISO 3166-1, such as ES) from which viewers look whose token says none; empty: that is not asked",
    ),
    ("tls_certificate", "", "a PEM file of serve-search's certificate and those above it; empty: plain HTTP"),
    ("tls_key", "", "the PEM file of its key"),
    ("oidc_issuer", "", "an OpenID Connect provider whose tokens are good, such as https://id.example/realms/news"),
    ("oidc_audience", "", "for whom its tokens are to be"),
    ("oidc_role_claim", "roles", "the claim of its tokens that names roles: viewer, editor, operator, admin"),
];

/// One resolved setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// As text.
    pub value: String,
    /// Where it came from.
    pub origin: String,
}

/// All settings of an archive.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The archive's folder.
    pub root: PathBuf,
    resolved: BTreeMap<&'static str, Resolved>,
}

/// A configuration file: settings by name, each text, a number or a truth.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Truth(bool),
    Number(u64),
    Text(String),
}

/// The settings that a file gives, by name.
fn read(path: &Path) -> Result<Vec<(&'static str, Option<String>)>> {
    let yaml = std::fs::read_to_string(path).doing(|| format!("cannot read {}", path.display()))?;
    if yaml.lines().all(|l| l.trim().is_empty() || l.trim_start().starts_with('#')) {
        return Ok(Vec::new());
    }
    let known = || format!("settings are {}", KEYS.map(|(key, _, _)| key).join(", "));
    let given: BTreeMap<String, Scalar> = serde_saphyr::from_str(&yaml).map_err(|e| {
        let place = e.location().map(|l| format!(":{}:{}", l.line(), l.column())).unwrap_or_default();
        Error::invalid(format!("{}{place}: {}", path.display(), e.without_snippet())).hint(known())
    })?;
    let each = |(name, value): (String, Scalar)| {
        let Some((key, _, _)) = KEYS.iter().find(|(key, _, _)| *key == name) else {
            let line = yaml.lines().position(|l| l.trim_start().starts_with(&name)).map_or(1, |at| at + 1);
            let what = format!("{}:{line}:1: unknown field `{name}`", path.display());
            return Err(Error::invalid(what).hint(known()));
        };
        let text = match value {
            Scalar::Truth(t) => t.to_string(),
            Scalar::Number(n) => n.to_string(),
            Scalar::Text(t) => t,
        };
        Ok((*key, Some(text)))
    };
    given.into_iter().map(each).collect()
}

impl Settings {
    /// Finds the archive and resolves its settings. `flags` holds what was given on the command line.
    pub fn resolve(archive: Option<&Path>, flags: &[(&'static str, Option<String>)]) -> Result<Self> {
        let root = find(archive)?;
        let mut resolved: BTreeMap<&'static str, Resolved> = KEYS
            .iter()
            .map(|(key, value, _)| (*key, Resolved { value: (*value).to_owned(), origin: "default".to_owned() }))
            .collect();
        let mut take = |values: &mut dyn Iterator<Item = (&'static str, Option<String>)>,
                        origin: &dyn Fn(&str) -> String| {
            for (key, value) in values {
                if let Some(value) = value {
                    resolved.insert(key, Resolved { value, origin: origin(key) });
                }
            }
        };
        for file in [user_file(), Some(root.join(FILE))].into_iter().flatten().filter(|f| f.is_file()) {
            take(&mut read(&file)?.into_iter(), &|_| file.display().to_string());
        }
        let variable = |key: &str| format!("DAMCTL_{}", key.to_uppercase());
        let mut from_environment = KEYS
            .iter()
            .map(|(key, _, _)| (*key, std::env::var(variable(key)).ok().map(|value| value.trim().to_owned())));
        take(&mut from_environment, &variable);
        take(&mut flags.iter().cloned(), &|key| format!("--{key}"));
        let settings = Self { root, resolved };
        settings.check()?;
        Ok(settings)
    }

    /// Whether an archive is named, or lies here or above. One that is named and is not there is an error of [`Settings::resolve`].
    pub fn is_there(archive: Option<&Path>) -> bool {
        archive.is_some() || find(None).is_ok()
    }

    /// A secret stands in no file and on no command line.
    #[cfg(feature = "postgres")]
    fn check_catalog(&self) -> Result<()> {
        let origin = self.resolved.get("catalog").map_or("", |r| r.origin.as_str());
        match self.catalog_server() {
            Some(url) if origin != "DAMCTL_CATALOG" && damctl::catalog::PostgresConfig::has_password(url) => {
                Err(Error::invalid(format!("catalog ({origin}) holds a password"))
                    .hint("take it out, and give it in PGPASSWORD, a PGPASSFILE, or the variable DAMCTL_CATALOG"))
            }
            _ => Ok(()),
        }
    }

    /// Settings with their origins, in order.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, &Resolved)> {
        KEYS.iter().filter_map(|(key, _, _)| self.resolved.get(key).map(|r| (*key, r)))
    }

    fn get(&self, key: &str) -> &str {
        self.resolved.get(key).map_or("", |r| r.value.as_str())
    }

    fn number(&self, key: &str) -> Result<u64> {
        let origin = self.resolved.get(key).map_or("", |r| r.origin.as_str());
        self.get(key)
            .parse()
            .map_err(|_| Error::invalid(format!("{key} is '{}' ({origin}): expected a whole number", self.get(key))))
    }

    fn check(&self) -> Result<()> {
        if self.catalog_server().is_none()
            && (self.get("catalog").contains("://") || self.get("catalog").starts_with("postgres:"))
        {
            // It may hold a password, so it is not said again.
            return Err(Error::invalid("catalog is neither a file nor an address that begins with postgres://"));
        }
        #[cfg(feature = "postgres")]
        self.check_catalog()?;
        self.workers()?;
        self.lease()?;
        self.stall()?;
        self.memory()?;
        self.listen()?;
        self.keep()?;
        Ok(())
    }

    /// A path setting; relative ones are the archive's.
    pub fn path(&self, key: &str) -> PathBuf {
        self.root.join(self.get(key))
    }

    /// The address of the catalog, when it is a PostgreSQL server.
    pub fn catalog_server(&self) -> Option<&str> {
        let value = self.get("catalog");
        (value.starts_with("postgres://") || value.starts_with("postgresql://")).then_some(value)
    }

    /// How a PostgreSQL catalog is reached; passwords come from where libpq has them.
    #[cfg(feature = "postgres")]
    pub fn postgres(&self, url: &str) -> Result<damctl::catalog::PostgresConfig> {
        let connections = match self.number("catalog_connections")? {
            n @ 1..=1000 => n as u32,
            n => return Err(Error::invalid(format!("catalog_connections is {n}: expected 1 to 1000"))),
        };
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".pgpass"));
        Ok(damctl::catalog::PostgresConfig {
            password: std::env::var("PGPASSWORD").ok(),
            passfile: std::env::var_os("PGPASSFILE").map(PathBuf::from).or_else(home),
            connections,
            ..damctl::catalog::PostgresConfig::new(url)
        })
    }

    /// Who hears of events.
    #[cfg(any(feature = "webhook", feature = "nats"))]
    pub fn subscribers(&self) -> Result<Vec<Box<dyn damctl::feed::Subscriber>>> {
        let mut all: Vec<Box<dyn damctl::feed::Subscriber>> = Vec::new();
        let from = |variable: &str| std::env::var(variable).ok().filter(|v| !v.is_empty());
        #[cfg(feature = "webhook")]
        if !self.get("webhook").is_empty() {
            let config = damctl::feed::WebhookConfig {
                url: self.get("webhook").to_owned(),
                secret: from("DAMCTL_WEBHOOK_SECRET"),
            };
            all.push(Box::new(damctl::feed::Webhook::new(&config)?));
        }
        #[cfg(feature = "nats")]
        if !self.get("nats").is_empty() {
            all.push(Box::new(damctl::feed::Nats::new(damctl::feed::NatsConfig {
                url: self.get("nats").to_owned(),
                stream: Some(self.get("nats_stream").to_owned()).filter(|s| !s.is_empty()),
                credentials: from("NATS_CREDS").map(PathBuf::from),
                user: from("NATS_USER").map(|user| (user, from("NATS_PASSWORD").unwrap_or_default())),
                token: from("NATS_TOKEN"),
            })?));
        }
        Ok(all)
    }

    /// A server that takes documents, and who is known there.
    #[cfg(feature = "webhook")]
    pub fn bulk(&self, url: &str) -> damctl::index::bulk::BulkConfig {
        let from = |variable: &str| std::env::var(variable).ok().filter(|v| !v.is_empty());
        let user = from("DAMCTL_BULK_USER").map(|user| (user, from("DAMCTL_BULK_PASSWORD").unwrap_or_default()));
        damctl::index::bulk::BulkConfig { url: url.to_owned(), user }
    }

    /// Where secrets are kept.
    pub fn secrets(&self) -> Result<Arc<dyn Secrets>> {
        let value = self.get("secrets");
        if let Some(path) = value.strip_prefix("file:").filter(|path| !path.is_empty()) {
            let key = match std::env::var("DAMCTL_SECRETS_KEY").ok().filter(|key| !key.is_empty()) {
                Some(key) => FileKey::parse(&key)?,
                None => {
                    let file = self.secrets_key_file()?;
                    FileKey::read(&file).map_err(|e| match e.kind() {
                        Kind::NotFound => e.hint("'damctl secret key' makes one; or give it in DAMCTL_SECRETS_KEY"),
                        _ => e,
                    })?
                }
            };
            return Ok(Arc::new(SecretFile::new(self.root.join(path), key)));
        }
        #[cfg(feature = "vault")]
        if let Some(place) = value.strip_prefix("vault:") {
            return Ok(Arc::new(damctl::secret::Vault::new(vault(place)?)?));
        }
        #[cfg(not(feature = "vault"))]
        if value.starts_with("vault:") {
            return Err(Error::unsupported("this program was built without Vault ('vault')"));
        }
        match value {
            "env" => Ok(Arc::new(Environment)),
            // It may hold a secret, given by mistake.
            _ => Err(Error::invalid("'secrets' cannot be used").hint("expected env, file:PATH or vault:https://…")),
        }
    }

    /// The file of the key that opens an encrypted file of secrets.
    pub fn secrets_key_file(&self) -> Result<PathBuf> {
        match self.get("secrets_key_file") {
            "" => user_file().map(|config| config.with_file_name("secrets.key")).ok_or_else(|| {
                Error::invalid("there is no home folder for the key of the secrets").hint("set 'secrets_key_file'")
            }),
            path => Ok(self.root.join(path)),
        }
    }

    /// Where the masters are, for people.
    pub fn place(&self) -> String {
        let store = self.get("store");
        match (store.starts_with("s3://"), self.get("s3_endpoint")) {
            (false, _) => self.path("store").display().to_string(),
            (true, "") => store.to_owned(),
            (true, endpoint) => format!("{store} at {endpoint}"),
        }
    }

    /// The profile's file, when one is set.
    pub fn profile(&self) -> Option<PathBuf> {
        let value = self.get("profile");
        let from_flag = self.resolved.get("profile").is_some_and(|r| r.origin.starts_with("--"));
        // A flag's path is the working folder's, as on any command line.
        (!value.is_empty()).then(|| if from_flag { PathBuf::from(value) } else { self.root.join(value) })
    }

    /// Who is let in by serve-search, and how.
    #[cfg(feature = "serve")]
    pub fn terms(&self) -> Result<damctl::serve::Terms> {
        let file = |key| (!self.get(key).is_empty()).then(|| self.root.join(self.get(key)));
        let tls = match (file("tls_certificate"), file("tls_key")) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(Error::invalid("'tls_certificate' and 'tls_key' are given together")),
        };
        let text = |key: &str| self.get(key).to_owned();
        let provider = match (text("oidc_issuer"), text("oidc_audience")) {
            (issuer, _) if issuer.is_empty() => None,
            (_, audience) if audience.is_empty() => {
                return Err(Error::invalid("'oidc_issuer' needs 'oidc_audience'")
                    .hint("without it, a token that was made for another service would be good here"));
            }
            (issuer, audience) => {
                Some(damctl::serve::Provider { issuer, audience, role_claim: text("oidc_role_claim") })
            }
        };
        let proxies = text("trusted_proxies");
        let proxies = proxies.split([',', ' ']).filter(|text| !text.is_empty()).map(str::parse).collect::<Result<_>>();
        let proxies = proxies.map_err(|e| Error::invalid(format!("trusted_proxies: {e}")))?;
        let territory = Some(text("territory")).filter(|t| !t.is_empty());
        Ok(damctl::serve::Terms { anonymous: self.get("anonymous").parse()?, provider, tls, proxies, territory })
    }

    /// What is wanted of the buckets.
    #[cfg(feature = "s3")]
    pub fn wish(&self) -> Result<damctl::store::Wish> {
        let lock = Some(self.get("s3_masters_lock")).filter(|text| !text.is_empty());
        let delivery = self.get("delivery_expires").split(',').filter(|text| !text.trim().is_empty()).map(str::parse);
        let delivery = delivery.collect::<Result<_>>();
        let delivery = delivery.map_err(|e| Error::invalid(format!("delivery_expires: {}", e.one_line())))?;
        Ok(damctl::store::Wish { lock: lock.map(str::parse).transpose()?, delivery, ..Default::default() })
    }

    /// Where copies of the masters are.
    pub fn replicas(&self) -> Vec<String> {
        self.get("replicas").split(',').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
    }

    /// How a bucket that holds copies is reached.
    #[cfg(feature = "s3")]
    pub fn s3_at(&self, place: &str) -> Result<damctl::store::S3Config> {
        let (bucket, prefix) =
            place.strip_prefix("s3://").and_then(|p| p.split_once('/').or(Some((p, "")))).unwrap_or_default();
        if bucket.is_empty() {
            return Err(Error::invalid(format!("replicas has '{place}': expected s3://BUCKET or s3://BUCKET/PREFIX")));
        }
        let at = (bucket.to_owned(), prefix.trim_matches('/').to_owned());
        Ok(damctl::store::S3Config { places: [at.clone(), at.clone(), at], ..self.s3()? })
    }

    /// How long renditions are kept.
    pub fn keep(&self) -> Result<Vec<damctl::tend::Keep>> {
        let each = self.get("keep").split(',').filter(|text| !text.trim().is_empty()).map(str::parse);
        each.collect::<Result<_>>().map_err(|e| Error::invalid(format!("keep: {}", e.one_line())))
    }

    /// The folder of what is archived, when one is set.
    pub fn archive_folder(&self) -> Option<PathBuf> {
        let value = self.get("archive_folder");
        (!value.is_empty()).then(|| self.root.join(value))
    }

    /// The file of synonyms, when one is set.
    pub fn synonyms(&self) -> Option<PathBuf> {
        let value = self.get("synonyms");
        (!value.is_empty()).then(|| self.root.join(value))
    }

    /// Bucket and prefix, when a setting names some: `s3://BUCKET/PREFIX`.
    pub fn bucket(&self, key: &str) -> Result<Option<(String, String)>> {
        let Some(place) = self.get(key).strip_prefix("s3://") else { return Ok(None) };
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        match bucket.is_empty() {
            true => {
                Err(Error::invalid(format!("{key} is '{}': expected s3://BUCKET or s3://BUCKET/PREFIX", self.get(key))))
            }
            false => Ok(Some((bucket.to_owned(), prefix.trim_matches('/').to_owned()))),
        }
    }

    /// How the buckets are reached.
    #[cfg(feature = "s3")]
    pub fn s3(&self) -> Result<damctl::store::S3Config> {
        let said = |key: &str| Some(self.get(key).to_owned()).filter(|v| !v.is_empty());
        let main = self.bucket("store")?.unwrap_or_default();
        let other = |key: &str| match (said(key), self.bucket(key)?) {
            (None, _) => Ok(main.clone()),
            (Some(_), Some(place)) => Ok(place),
            (Some(text), None) => Err(Error::invalid(format!("{key} is '{text}': expected s3://BUCKET/PREFIX"))),
        };
        let endpoint = said("s3_endpoint");
        let path_style = match self.get("s3_path_style") {
            "auto" => endpoint.is_some(),
            "true" => true,
            "false" => false,
            text => return Err(Error::invalid(format!("s3_path_style is '{text}': expected true, false or auto"))),
        };
        let part_bytes = match self.number("s3_part_size")? {
            0 => 0,
            n @ 5..=5120 => n << 20,
            n => return Err(Error::invalid(format!("s3_part_size is {n}: expected 0, or 5 to 5120 MiB"))),
        };
        let timeout = match self.number("s3_timeout")? {
            n @ 1..=3600 => Some(Duration::from_secs(n)),
            n => return Err(Error::invalid(format!("s3_timeout is {n}: expected 1 to 3600 seconds"))),
        };
        Ok(damctl::store::S3Config {
            endpoint,
            region: said("s3_region"),
            profile: said("s3_profile"),
            path_style,
            ca_bundle: said("s3_ca_bundle").map(|path| self.root.join(path)),
            places: [main.clone(), other("store_renditions")?, other("store_delivery")?],
            part_bytes,
            timeout,
            in_flight: self.in_flight()?,
            archive_class: said("s3_archive_class"),
            can_lock: said("s3_masters_lock").is_some(),
            objects: damctl::model::Area::ALL.map(|area| {
                let said = |what: &str| said(&format!("s3_{}_{what}", area.as_str()));
                damctl::store::ObjectSettings {
                    encryption: said("encryption"),
                    storage_class: said("storage_class"),
                    acl: said("acl"),
                    cache_control: said("cache_control"),
                }
            }),
        })
    }

    /// The same for work that waits more than it works: so many where nothing is said.
    pub fn workers_or(&self, usual: usize) -> Result<usize> {
        match self.number("workers")? {
            0 => Ok(usual),
            _ => self.workers(),
        }
    }

    /// Jobs at a time.
    pub fn workers(&self) -> Result<usize> {
        match self.number("workers")? {
            0 => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
            n @ 1..=1024 => Ok(n as usize),
            n => Err(Error::invalid(format!("workers is {n}: expected 0 to 1024"))),
        }
    }

    fn in_flight(&self) -> Result<usize> {
        match self.number("s3_in_flight")? {
            n @ 1..=256 => Ok(n as usize),
            n => Err(Error::invalid(format!("s3_in_flight is {n}: expected 1 to 256"))),
        }
    }

    /// Stored objects that are read at a time. A bucket answers after a while, and many at once as soon as one.
    pub fn readers(&self) -> Result<usize> {
        let each = if self.bucket("store")?.is_some() { self.in_flight()? } else { 1 };
        Ok(self.workers()? * each)
    }

    /// How long a claim holds.
    pub fn lease(&self) -> Result<Duration> {
        match self.number("lease")? {
            n @ 3..=86_400 => Ok(Duration::from_secs(n)),
            n => Err(Error::invalid(format!("lease is {n}: expected 3 to 86400 seconds"))),
        }
    }

    /// Seconds without progress.
    pub fn stall(&self) -> Result<u64> {
        match self.number("stall")? {
            n @ 1..=86_400 => Ok(n),
            n => Err(Error::invalid(format!("stall is {n}: expected 1 to 86400 seconds"))),
        }
    }

    /// Bytes that one renderer may use.
    pub fn memory(&self) -> Result<u64> {
        match self.number("memory")? {
            n @ 256..=4_194_304 => Ok(n << 20),
            n => Err(Error::invalid(format!("memory is {n}: expected 256 to 4194304 MiB"))),
        }
    }

    /// Where to listen.
    pub fn listen(&self) -> Result<SocketAddr> {
        let text = self.get("listen");
        text.parse().map_err(|e| {
            Error::invalid(format!("listen is '{text}': expected an address and port such as 127.0.0.1:7878"))
                .because(e)
        })
    }
}

/// How Vault is reached: by the variables of its own program, and by ours for what that has none for.
#[cfg(feature = "vault")]
fn vault(place: &str) -> Result<damctl::secret::VaultConfig> {
    use damctl::secret::{Secret, VaultAuth};
    let from = |variable: &str| std::env::var(variable).ok().filter(|v| !v.is_empty());
    let auth = if let Some(token) = from("VAULT_TOKEN") {
        VaultAuth::Token(Secret::new(token))
    } else if let (Some(role), Some(file)) = (from("DAMCTL_VAULT_ROLE_ID"), from("DAMCTL_VAULT_SECRET_ID_FILE")) {
        VaultAuth::AppRole { role, secret_id: file.into() }
    } else if let Some(role) = from("DAMCTL_VAULT_KUBERNETES_ROLE") {
        VaultAuth::Kubernetes { role, token: from("DAMCTL_VAULT_KUBERNETES_TOKEN_FILE").map(PathBuf::from) }
    } else {
        return Err(Error::invalid("there is nothing to log in to Vault with").hint(
            "set VAULT_TOKEN; or DAMCTL_VAULT_ROLE_ID and DAMCTL_VAULT_SECRET_ID_FILE; or DAMCTL_VAULT_KUBERNETES_ROLE",
        ));
    };
    let (namespace, ca) = (from("VAULT_NAMESPACE"), from("VAULT_CACERT").map(PathBuf::from));
    Ok(damctl::secret::VaultConfig { place: place.to_owned(), auth, namespace, ca })
}

fn find(archive: Option<&Path>) -> Result<PathBuf> {
    if let Some(dir) = archive {
        return match dir.join(FILE).is_file() {
            true => std::fs::canonicalize(dir).doing(|| format!("cannot find {}", dir.display())),
            false => Err(Error::not_found(format!("there is no archive in {}: it has no {FILE}", dir.display()))
                .hint(format!("'damctl init {}' makes one", dir.display()))),
        };
    }
    let here = std::env::current_dir().doing(|| "cannot tell the working folder")?;
    let found = here.ancestors().find(|dir| dir.join(FILE).is_file());
    found.map(Path::to_owned).ok_or_else(|| {
        Error::not_found(format!("there is no archive here: no {FILE} in {} or above", here.display()))
            .hint("'damctl init DIR' makes one; --archive DIR or DAMCTL_ARCHIVE names one elsewhere")
    })
}

/// Where this machine's findings are kept for the user (XDG Base Directory Specification).
pub fn cache_folder() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    Some(cache.join("damctl"))
}

fn user_file() -> Option<PathBuf> {
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))?;
    Some(config.join("damctl").join("config.yaml"))
}

/// The text of a new archive's configuration: every setting, commented out, with its default.
pub fn template() -> String {
    let mut text = "# An archive of damctl. Relative paths are this folder's. Shown: the defaults.\n".to_owned();
    for (key, value, what) in KEYS {
        text.push_str(&format!("\n# {what}\n#{key}: {}\n", if value.is_empty() { "\"\"" } else { value }));
    }
    text
}
