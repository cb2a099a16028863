//! Tokens of an identity provider (OpenID Connect): signed by a key that it publishes, for us, and not run out.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::guard::Caller;
use crate::{
    error::{Error, Result},
    model::Grade,
};

/// How long keys are kept, and how soon they are fetched again for one that is not among them.
const KEPT: Duration = Duration::from_secs(3600);
const AGAIN: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest answer of a provider.
const LARGEST: u64 = 1 << 20;
/// Signatures by a key that only the provider has. One by a shared secret could be made by whoever checks it.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// What is believed of an identity provider.
#[derive(Clone, Debug, PartialEq)]
pub struct Provider {
    /// Its issuer, as its tokens name it.
    pub issuer: String,
    /// For whom its tokens are to be.
    pub audience: String,
    /// The claim that has the roles: a text, or a list of them.
    pub role_claim: String,
}

pub(super) struct Oidc {
    provider: Provider,
    client: reqwest::Client,
    keys: Mutex<Option<(Instant, JwkSet)>>,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(flatten)]
    others: serde_json::Map<String, serde_json::Value>,
}

impl Oidc {
    pub(super) fn new(provider: Provider) -> Result<Self> {
        is_safe(&provider.issuer)?;
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|e| Error::internal("cannot set up HTTP").because(e))?;
        Ok(Self { provider, client, keys: Mutex::new(None) })
    }

    /// Whose token it is, if it is a good one.
    pub(super) async fn caller(&self, token: &str, address: IpAddr) -> Option<Caller> {
        let head = decode_header(token).ok()?;
        if !ALGORITHMS.contains(&head.alg) {
            return None;
        }
        let key = self.key(head.kid.as_deref()?).await?;
        let mut validation = Validation::new(head.alg);
        validation.set_audience(&[&self.provider.audience]);
        validation.set_issuer(&[&self.provider.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        let claims = decode::<Claims>(token, &key, &validation).ok()?.claims;
        let grade = grade(claims.others.get(&self.provider.role_claim)?)?;
        let collections = claims.others.get("collections").map(collections);
        let name = claims.others.get("preferred_username").and_then(|v| v.as_str()).unwrap_or(&claims.sub).to_owned();
        let territory = claims.others.get("territory").and_then(|v| v.as_str()).map(str::to_owned);
        Some(Caller { name, grade, collections, territory, address })
    }

    async fn key(&self, id: &str) -> Option<DecodingKey> {
        let mut keys = self.keys.lock().await;
        let is_due = match &*keys {
            None => true,
            Some((since, known)) => {
                let is_known = known.find(id).is_some();
                since.elapsed() > if is_known { KEPT } else { AGAIN }
            }
        };
        // What a provider does not answer leaves the keys that are known.
        if is_due && let Some(fetched) = self.fetch().await {
            *keys = Some((Instant::now(), fetched));
        }
        DecodingKey::from_jwk(keys.as_ref()?.1.find(id)?).ok()
    }

    async fn fetch(&self) -> Option<JwkSet> {
        let issuer = self.provider.issuer.trim_end_matches('/');
        let found: Discovery = self.get(&format!("{issuer}/.well-known/openid-configuration")).await?;
        if found.issuer != self.provider.issuer || is_safe(&found.jwks_uri).is_err() {
            return None;
        }
        self.get(&found.jwks_uri).await
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, url: &str) -> Option<T> {
        let answer = self.client.get(url).send().await.ok()?.error_for_status().ok()?;
        if answer.content_length().is_some_and(|bytes| bytes > LARGEST) {
            return None;
        }
        serde_json::from_slice(&answer.bytes().await.ok()?).ok()
    }
}

/// Keys are believed from where nobody can change them on the way.
fn is_safe(url: &str) -> Result<()> {
    let parsed = reqwest::Url::parse(url).map_err(|e| Error::invalid(format!("'{url}' is no address: {e}")))?;
    let is_here = matches!(parsed.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match parsed.scheme() == "https" || (parsed.scheme() == "http" && is_here) {
        true => Ok(()),
        false => Err(Error::invalid(format!("'{url}' is not an https address"))),
    }
}

/// Collections by name: a list of texts, or a text with commas between them. Names have spaces in them.
fn collections(claim: &serde_json::Value) -> Vec<String> {
    match claim {
        serde_json::Value::String(text) => {
            text.split(',').map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned).collect()
        }
        claim => names(claim),
    }
}

/// The highest role that is named.
fn grade(claim: &serde_json::Value) -> Option<Grade> {
    names(claim).iter().filter_map(|name| name.strip_prefix("damctl-").unwrap_or(name).parse().ok()).max()
}

fn names(claim: &serde_json::Value) -> Vec<String> {
    match claim {
        serde_json::Value::String(text) => {
            text.split([' ', ',']).filter(|t| !t.is_empty()).map(str::to_owned).collect()
        }
        serde_json::Value::Array(all) => all.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}
