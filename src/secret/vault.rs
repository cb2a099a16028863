//! Secrets in HashiCorp Vault's KV store, version 2, by its HTTP API: each account is one secret below a prefix.
//!
//! A token is renewed before its lease ends, and got anew when it cannot be. What is written says of which version it was
//! made (check-and-set), so that two writers lose nothing.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};

use super::{Fields, Secret, Secrets, check_account};
use crate::{
    block,
    error::{Doing, Error, Kind, Result},
};

/// Where a pod finds who it is.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// How often a write is tried when somebody else was faster.
const TRIES: usize = 8;

/// How Vault is reached.
#[derive(Clone)]
pub struct VaultConfig {
    /// Its address with mount and prefix: `https://host:8200/MOUNT/PREFIX`.
    pub place: String,
    /// Who we are there.
    pub auth: VaultAuth,
    /// The namespace, where there are such.
    pub namespace: Option<String>,
    /// Certificates to trust besides the system's, as a PEM file.
    pub ca: Option<PathBuf>,
}

/// How we show who we are.
#[derive(Clone)]
pub enum VaultAuth {
    /// A token that somebody made.
    Token(Secret),
    /// AppRole: the role's id, and a file with a secret id.
    AppRole {
        /// The id of the role.
        role: String,
        /// The file.
        secret_id: PathBuf,
    },
    /// Kubernetes: the role, and the file with the service account's token.
    Kubernetes {
        /// The role.
        role: String,
        /// The file; left out: where a pod has it.
        token: Option<PathBuf>,
    },
}

/// A token and how long it is good.
struct Lease {
    token: Secret,
    renewable: bool,
    /// When it was given, and for how long; `None`: for ever.
    given: Instant,
    time: Option<Duration>,
}

impl Lease {
    fn of(token: Secret, told: &Value, time: &str) -> Self {
        let seconds = told[time].as_u64().filter(|seconds| *seconds > 0);
        let renewable = told["renewable"].as_bool().unwrap_or_default();
        Self { token, renewable, given: Instant::now(), time: seconds.map(Duration::from_secs) }
    }

    /// A third of its time is left for trying again.
    fn is_old(&self) -> bool {
        self.time.is_some_and(|time| self.given.elapsed() >= time * 2 / 3)
    }

    fn is_over(&self) -> bool {
        self.time.is_some_and(|time| self.given.elapsed() >= time)
    }
}

/// A prefix of a KV store.
pub struct Vault {
    base: Url,
    mount: String,
    prefix: String,
    config: VaultConfig,
    client: reqwest::Client,
    lease: Mutex<Option<Lease>>,
}

/// What Vault answered.
struct Answer {
    status: StatusCode,
    body: Value,
}

impl Answer {
    fn errors(&self) -> String {
        let all = self.body["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
        all.collect::<Vec<_>>().join("; ")
    }
}

impl Vault {
    /// Makes ready; nobody is asked yet.
    ///
    /// Errors: `Invalid` for an address that cannot be right or is not encrypted.
    pub fn new(config: VaultConfig) -> Result<Self> {
        let bad = |why: &str| {
            Error::invalid(format!("the address of Vault cannot be used: {why}"))
                .hint("expected vault:https://HOST:8200/MOUNT/PREFIX")
        };
        let base = Url::parse(&config.place).map_err(|e| bad(&e.to_string()))?;
        let is_here = matches!(base.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if !base.username().is_empty()
            || base.password().is_some()
            || base.query().is_some()
            || base.fragment().is_some()
        {
            return Err(bad("it says more than host, mount and prefix"));
        }
        if base.scheme() != "https" && !(base.scheme() == "http" && is_here) {
            return Err(bad("secrets go by https, or by http to this machine alone"));
        }
        let path = base.path().trim_matches('/').to_owned();
        let (mount, prefix) = path.split_once('/').unwrap_or((&path, "damctl"));
        if mount.is_empty() {
            return Err(bad("it names no mount"));
        }
        let (mount, prefix) = (mount.to_owned(), prefix.to_owned());
        let mut client = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .connect_timeout(Duration::from_secs(10))
            // A standby sends to the one that is active; nowhere that is not encrypted.
            .redirect(reqwest::redirect::Policy::custom(|attempt| {
                let was_https = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
                match attempt.previous().len() > 2 || (was_https && attempt.url().scheme() != "https") {
                    true => attempt.error("it sends from one to the other"),
                    false => attempt.follow(),
                }
            }))
            .user_agent(concat!("damctl/", env!("CARGO_PKG_VERSION")));
        if let Some(file) = &config.ca {
            let pem = std::fs::read(file).doing(|| format!("cannot read {}", file.display()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|e| Error::invalid(format!("{} holds no certificates", file.display())).because(e))?;
            client = client.tls_certs_merge(certificates);
        }
        let client = client.build().map_err(|e| Error::unavailable("cannot make an HTTP client").because(e))?;
        Ok(Self { base, mount, prefix, config, client, lease: Mutex::default() })
    }

    fn host(&self) -> String {
        let port = self.base.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}{port}", self.base.host_str().unwrap_or_default())
    }

    fn ask(&self, method: Method, path: &str, token: Option<&Secret>, body: Option<&Value>) -> Result<Answer> {
        let mut url = self.base.clone();
        url.set_path(&format!("/v1/{path}"));
        let mut request = self.client.request(method, url).header("x-vault-request", "true");
        if let Some(namespace) = &self.config.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        if let Some(token) = token {
            let mut value = reqwest::header::HeaderValue::from_str(token.expose())
                .map_err(|_| Error::invalid("the token of Vault holds what no header may"))?;
            value.set_sensitive(true);
            request = request.header("x-vault-token", value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answered = block::on(async {
            let answer = request.send().await?;
            Ok((answer.status(), answer.bytes().await?))
        })?;
        let (status, bytes) = answered.map_err(|e: reqwest::Error| {
            Error::unavailable(format!("Vault at {} does not answer", self.host())).because(e.without_url())
        })?;
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or_default() })
    }

    /// What an answer means that is no success.
    fn refusal(&self, what: &str, answer: &Answer) -> Error {
        let errors = answer.errors();
        let said = if errors.is_empty() { String::new() } else { format!(": {errors}") };
        let told = format!("Vault at {} answered {} to {what}{said}", self.host(), answer.status.as_u16());
        match answer.status.as_u16() {
            403 => Error::invalid(told).hint(format!(
                "the token is not good, or its policy lacks {}/data/{}/* and {0}/metadata/{1}/*",
                self.mount, self.prefix
            )),
            404 => Error::invalid(told).hint(format!("is '{}' a KV store of version 2 there?", self.mount)),
            503 if errors.contains("sealed") => {
                Error::unavailable(format!("Vault at {} is sealed", self.host())).hint("somebody has to unseal it")
            }
            412 | 429 | 472 | 473 | 500..=599 => Error::unavailable(told),
            _ => Error::invalid(told),
        }
    }

    /// A token that is good for a while.
    fn token(&self) -> Result<Secret> {
        let mut held = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = match held.take() {
            None => self.login()?,
            Some(lease) if !lease.is_old() => lease,
            Some(lease) => match self.renew(&lease) {
                Ok(Some(renewed)) => renewed,
                // It has come to its end: somebody who can shows again who he is.
                Ok(None) => self.login()?,
                // Nobody answers, and it is good still.
                Err(_) if !lease.is_over() => lease,
                Err(_) => self.login()?,
            },
        };
        let token = fresh.token.clone();
        *held = Some(fresh);
        Ok(token)
    }

    fn login(&self) -> Result<Lease> {
        let read = |file: &PathBuf| -> Result<Secret> {
            let text = std::fs::read_to_string(file).doing(|| format!("cannot read {}", file.display()))?;
            Ok(Secret::new(text.trim()))
        };
        let (path, body) = match &self.config.auth {
            VaultAuth::Token(token) => {
                let answer = self.ask(Method::GET, "auth/token/lookup-self", Some(token), None)?;
                return match answer.status.is_success() {
                    true => Ok(Lease::of(token.clone(), &answer.body["data"], "ttl")),
                    false => Err(self.refusal("the token", &answer)),
                };
            }
            VaultAuth::AppRole { role, secret_id } => {
                ("auth/approle/login", json!({"role_id": role, "secret_id": read(secret_id)?.expose()}))
            }
            VaultAuth::Kubernetes { role, token } => {
                let file = token.clone().unwrap_or_else(|| PathBuf::from(SERVICE_ACCOUNT));
                ("auth/kubernetes/login", json!({"role": role, "jwt": read(&file)?.expose()}))
            }
        };
        let answer = self.ask(Method::POST, path, None, Some(&body))?;
        let told = &answer.body["auth"];
        match (answer.status.is_success(), told["client_token"].as_str()) {
            (true, Some(token)) => Ok(Lease::of(Secret::new(token), told, "lease_duration")),
            // Vault says 400 to ids that it does not know.
            _ => Err(self.refusal(&format!("a login by {path}"), &answer)),
        }
    }

    /// The same token for longer; `None` when it cannot be, or not for as long again.
    fn renew(&self, lease: &Lease) -> Result<Option<Lease>> {
        if !lease.renewable || lease.is_over() {
            return Ok(None);
        }
        let answer = self.ask(Method::POST, "auth/token/renew-self", Some(&lease.token), Some(&json!({})))?;
        if answer.status.is_server_error() || answer.status == StatusCode::TOO_MANY_REQUESTS {
            return Err(self.refusal("renewing the token", &answer));
        }
        let renewed = Lease::of(lease.token.clone(), &answer.body["auth"], "lease_duration");
        // At its greatest age Vault gives what is left.
        let is_short = renewed.time.zip(lease.time).is_some_and(|(new, old)| new * 2 < old);
        let keeps = matches!(self.config.auth, VaultAuth::Token(_)) || !is_short;
        Ok((answer.status.is_success() && keeps).then_some(renewed))
    }

    /// Asks with a token; with a new one when it is refused, for it may have been taken back.
    fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let answer = self.ask(method.clone(), path, Some(&self.token()?), body)?;
        if answer.status != StatusCode::FORBIDDEN || matches!(self.config.auth, VaultAuth::Token(_)) {
            return Ok(answer);
        }
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.ask(method, path, Some(&self.token()?), body)
    }

    fn path(&self, kind: &str, account: &str) -> String {
        let parts = [self.mount.as_str(), kind, self.prefix.as_str(), account];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    }

    /// What is kept of an account, and of which version that is: 0 of none.
    fn read(&self, account: &str) -> Result<(BTreeMap<String, Value>, u64)> {
        check_account(account)?;
        let answer = self.call(Method::GET, &self.path("data", account), None)?;
        let data = &answer.body["data"];
        let version = data["metadata"]["version"].as_u64().unwrap_or_default();
        match answer.status.as_u16() {
            200..=299 => Ok((data["data"].as_object().cloned().unwrap_or_default().into_iter().collect(), version)),
            // None, or one that was deleted and left its versions.
            404 if answer.errors().is_empty() => Ok((BTreeMap::new(), version)),
            _ => Err(self.refusal(&format!("reading '{account}'"), &answer)),
        }
    }

    /// Changes what is kept of an account, of whatever version it is by then.
    fn change(&self, account: &str, change: &dyn Fn(&mut BTreeMap<String, Value>) -> bool) -> Result<bool> {
        for _ in 0..TRIES {
            let (mut fields, version) = self.read(account)?;
            if !change(&mut fields) {
                return Ok(false);
            }
            let body = json!({"options": {"cas": version}, "data": fields});
            let answer = self.call(Method::POST, &self.path("data", account), Some(&body))?;
            match answer.status {
                status if status.is_success() => return Ok(true),
                StatusCode::BAD_REQUEST if answer.errors().contains("check-and-set") => {}
                _ => return Err(self.refusal(&format!("writing '{account}'"), &answer)),
            }
        }
        Err(Error::new(Kind::Unavailable, format!("others write '{account}' in Vault all the time")))
    }
}

impl Secrets for Vault {
    fn get(&self, account: &str) -> Result<Fields> {
        let (fields, _) = self.read(account)?;
        let text = |value: Value| match value {
            Value::String(text) => Secret::new(text),
            other => Secret::new(other.to_string()),
        };
        Ok(fields.into_iter().map(|(name, value)| (name, text(value))).collect())
    }

    fn put(&self, account: &str, fields: &Fields) -> Result<()> {
        if fields.is_empty() {
            return self.read(account).map(drop);
        }
        self.change(account, &|kept| {
            kept.extend(fields.iter().map(|(name, value)| (name.clone(), Value::from(value.expose()))));
            true
        })?;
        Ok(())
    }

    fn names(&self) -> Result<BTreeMap<String, Vec<String>>> {
        let path = format!("{}/", self.path("metadata", ""));
        let list = Method::from_bytes(b"LIST").map_err(|e| Error::internal(e.to_string()))?;
        let answer = self.call(list, &path, None)?;
        match answer.status.as_u16() {
            200..=299 => {}
            404 if answer.errors().is_empty() => return Ok(BTreeMap::new()),
            _ => return Err(self.refusal("a list", &answer)),
        }
        let accounts = answer.body["data"]["keys"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let each = |account: &str| Ok((account.to_owned(), self.read(account)?.0.into_keys().collect()));
        accounts.filter(|account| check_account(account).is_ok()).map(each).collect()
    }

    fn remove(&self, account: &str, field: Option<&str>) -> Result<bool> {
        let Some(field) = field else {
            if self.read(account)?.0.is_empty() {
                return Ok(false);
            }
            // All of its versions.
            let answer = self.call(Method::DELETE, &self.path("metadata", account), None)?;
            return match answer.status.is_success() {
                true => Ok(true),
                false => Err(self.refusal(&format!("removing '{account}'"), &answer)),
            };
        };
        self.change(account, &|kept| kept.remove(field).is_some())
    }

    fn place(&self) -> String {
        format!("Vault at {}, {}/{}", self.host(), self.mount, self.prefix)
    }
}
