//! Events by HTTP, as the Standard Webhooks specification 1.0 has it: a JSON envelope, an id that is the same when it is
//! sent again, and a signature by a shared secret.

use std::time::Duration;

use super::Subscriber;
use crate::{
    block,
    catalog::{Event, Feed},
    digest::Digest,
    error::{Error, Result},
    secret::{webhook_key, webhook_signature},
};

/// Where events go, and how they are signed.
#[derive(Clone)]
pub struct WebhookConfig {
    /// `https://…`, or `http://…` in a network that is trusted. It may hold a secret: only its host is ever shown.
    pub url: String,
    /// `whsec_` and the base64 of the key; none: events are not signed.
    pub secret: Option<String>,
}

impl WebhookConfig {
    /// The address as it may be shown: its host, and nothing else of it.
    pub fn shown(url: &str) -> String {
        match reqwest::Url::parse(url) {
            Ok(url) => format!("{}://{}/…", url.scheme(), host(&url)),
            Err(_) => url.to_owned(),
        }
    }
}

fn host(url: &reqwest::Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or_default())
}

/// A URL that is posted to.
pub struct Webhook {
    url: reqwest::Url,
    key: Option<Vec<u8>>,
    client: reqwest::Client,
}

impl Webhook {
    /// Makes ready; `Invalid` for an address or a secret that cannot be right.
    pub fn new(config: &WebhookConfig) -> Result<Self> {
        let url = reqwest::Url::parse(&config.url).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
        });
        let url = url.ok_or_else(|| {
            Error::invalid("the webhook's address cannot be used").hint("expected https://HOST/PATH, without a user")
        })?;
        let key = |secret: &String| {
            webhook_key(secret).ok_or_else(|| {
                Error::invalid("the webhook's secret cannot be used")
                    .hint("expected whsec_ and the base64 of 24 to 64 random bytes, in DAMCTL_WEBHOOK_SECRET")
            })
        };
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .connect_timeout(Duration::from_secs(10))
            // Where the events go is for whoever configured it to say.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("damctl/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| Error::unavailable("cannot make an HTTP client").because(e))?;
        Ok(Self { url, key: config.secret.as_ref().map(key).transpose()?, client })
    }
}

impl Subscriber for Webhook {
    fn name(&self) -> String {
        // Another path at the same host is another subscriber; it may be a secret.
        format!("webhook {} {}", host(&self.url), Digest::of(self.url.as_str()).short())
    }

    fn deliver(&self, feed: &Feed, events: &[Event]) -> Result<()> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(()) };
        let at = jiff::Timestamp::from_millisecond(last.at)
            .map_err(|e| Error::internal("an event at no time").because(e))?
            .to_string();
        let body =
            serde_json::json!({"type": "damctl.events", "timestamp": at, "data": {"events": events}}).to_string();
        let id = format!("{}-{}-{}", feed.id, first.seq, last.seq);
        // When it is sent, so that the receiver can refuse what somebody has kept and sends again.
        let sent = jiff::Timestamp::now().as_second().to_string();
        let mut request = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", &sent);
        if let Some(key) = &self.key {
            request = request.header("webhook-signature", webhook_signature(key, &id, &sent, &body));
        }
        let host = host(&self.url);
        let answer = block::on(async { request.body(body).send().await })?.map_err(|e| {
            Error::unavailable(format!("the webhook at {host} does not answer")).because(e.without_url())
        })?;
        let status = answer.status();
        let told = format!("the webhook at {host} answered {status}");
        match status.as_u16() {
            200..=299 => Ok(()),
            408 | 425 | 429 | 500..=599 => Err(Error::unavailable(told)),
            300..=399 => Err(Error::invalid(told).hint("it sends elsewhere: give the address that it moved to")),
            _ => Err(Error::invalid(told).hint("check the address and the secret; no event is passed over meanwhile")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_right_is_refused_and_a_secret_address_is_not_shown() {
        let new = |url: &str, secret: Option<&str>| {
            Webhook::new(&WebhookConfig { url: url.to_owned(), secret: secret.map(str::to_owned) })
        };
        for url in ["", "ftp://host/", "https://user:word@host/", "http://", "host/path"] {
            assert!(new(url, None).is_err(), "{url}");
        }
        for secret in ["", "whsec_", "whsec_!", "whsec_c2hvcnQ="] {
            assert!(new("https://host/", Some(secret)).is_err(), "{secret}");
        }
        let hook = new("https://host:8443/T0KEN", Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
        let name = hook.unwrap_or_else(|e| panic!("{e:?}")).name();
        assert!(name.starts_with("webhook host:8443 ") && !name.contains("T0KEN"), "{name}");
    }
}
