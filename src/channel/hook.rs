//! Whoever listens at an address: told what was published and where it can be fetched, signed as Standard Webhooks has it.
//! The id of a message is the publication's own, so what is told again after a lost answer is known to be the same.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    Account, Channel, Fate, Item, Package, Retracted, Sent, Standing, Way,
    http::{Http, Reply, Request, endpoint},
};
use crate::{
    error::{Error, Result},
    model::Receipt,
    profile::channels::Hook,
    secret::{webhook_key, webhook_signature},
};

/// How long what was published can be fetched by its address.
const VALID: Duration = Duration::from_secs(7 * 86_400);

/// Somebody who is told.
pub struct HookChannel {
    url: String,
    account: Account,
    http: Http,
}

impl HookChannel {
    /// Makes ready. Errors: `Invalid` for an address that is not encrypted and not this machine's.
    pub fn new(place: &Hook, account: Account) -> Result<Self> {
        let url = endpoint(Some(&place.url), "")?;
        Ok(Self { url, http: Http::new(&account)?.opened_by(&account, "key"), account })
    }

    fn key(&self) -> Result<Option<Vec<u8>>> {
        let key = self.account.fields()?.remove("key");
        let bad = || {
            Error::invalid(format!(
                "channel '{}': the key of account '{}' cannot sign",
                self.account.channel, self.account.name
            ))
            .hint("expected whsec_ and the base64 of 24 to 64 random bytes")
        };
        key.map(|key| webhook_key(key.expose()).ok_or_else(bad)).transpose()
    }

    fn tell(&self, id: &str, kind: &str, data: &Value) -> Result<Reply> {
        let now = jiff::Timestamp::now();
        let body = json!({"type": kind, "timestamp": now.to_string(), "data": data}).to_string();
        // When it is sent, so that the receiver can refuse what somebody has kept and sends again.
        let sent = now.as_second().to_string();
        let mut request = Request::post(&self.url).header("webhook-id", id).header("webhook-timestamp", &sent);
        if let Some(key) = self.key()? {
            request = request.header("webhook-signature", webhook_signature(&key, id, &sent, &body));
        }
        self.http.ask(request.bytes("application/json", body.into_bytes()))?.accepted(self.http.place())
    }
}

impl Channel for HookChannel {
    fn standing(&self) -> Result<Standing> {
        // Nobody can be asked without being told something.
        self.key().map(|_| Standing::default())
    }

    fn send(&self, package: &Package<'_>, _: Option<&Value>, way: &mut dyn Way) -> Result<Sent> {
        let file = |item: &Item| -> Result<Value> {
            if let Some(text) = package.source.written(&item.key) {
                return Ok(json!({"name": item.name, "bytes": item.bytes, "sha256": item.digest, "type": item.mime,
                    "language": item.language, "text": String::from_utf8_lossy(text)}));
            }
            let address = package.source.address(&item.key, VALID)?;
            Ok(json!({"name": item.name, "bytes": item.bytes, "sha256": item.digest, "type": item.mime,
                "language": item.language, "key": item.key, "url": address}))
        };
        let files = |items: &[Item]| items.iter().map(file).collect::<Result<Vec<_>>>();
        let sidecars: Vec<Value> = package
            .sidecars
            .iter()
            .map(|s| json!({"name": s.name, "type": s.mime, "text": String::from_utf8_lossy(&s.bytes)}))
            .collect();
        let data = json!({
            "publication": package.marker,
            "words": package.words,
            "media": files(&package.media)?,
            "captions": files(&package.captions)?,
            "thumbnail": package.thumbnail.as_ref().map(file).transpose()?,
            "sidecars": sidecars,
        });
        way.posting(&json!({"step": "told"}))?;
        let reply = self.tell(&package.marker, "damctl.published", &data)?;
        way.moved(package.bytes())?;
        let url = reply.header("location").map(str::to_owned).or_else(|| reply.text("/url"));
        let id = reply.text("/id").unwrap_or_else(|| package.marker.clone());
        let proof = json!({"publication": package.marker, "status": reply.status});
        Ok(Sent::Published(Receipt { id, url, proof }))
    }

    fn find(&self, _: &Package<'_>, session: &Value) -> Result<Fate> {
        // There is nobody to ask; told again under the same id, it is one.
        Ok(Fate::Resumable(session.clone()))
    }

    fn retract(&self, receipt: &Receipt) -> Result<Retracted> {
        let marker = receipt.proof["publication"].as_str().unwrap_or(&receipt.id);
        let data = json!({"publication": marker, "id": receipt.id, "url": receipt.url});
        let reply = self.tell(&format!("{marker}-retracted"), "damctl.retracted", &data)?;
        Ok(Retracted::Gone(json!({"status": reply.status})))
    }
}
