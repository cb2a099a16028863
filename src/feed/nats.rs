//! Events to a NATS server. Work that goes on is told under `media.process.started`, `completed` and `failed`, with the
//! job's subject as key; everything else under `media.` and its kind, with what it happened to as key.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_nats::{Client, ConnectOptions, HeaderMap, ServerError, jetstream};
use futures_util::StreamExt as _;

use super::Subscriber;
use crate::{
    block,
    catalog::{Event, Feed},
    error::{Error, Kind, Result},
};

/// How long a page of events may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where a NATS server is, and who asks.
#[derive(Clone, Default)]
pub struct NatsConfig {
    /// `nats://HOST:4222`, or `tls://HOST:4222`; several, separated by commas, are one cluster.
    pub url: String,
    /// The JetStream stream that keeps the events, and confirms each. None: whoever is not there when they come misses
    /// them, and the server's having taken them counts as confirmed.
    pub stream: Option<String>,
    /// A file of credentials.
    pub credentials: Option<PathBuf>,
    /// User and password.
    pub user: Option<(String, String)>,
    /// A token.
    pub token: Option<String>,
}

/// A server that is published to.
pub struct Nats {
    config: NatsConfig,
    connected: Mutex<Option<Connected>>,
}

#[derive(Clone)]
struct Connected {
    client: Client,
    /// What the server has refused.
    refused: Arc<Mutex<Option<String>>>,
}

impl Connected {
    fn is_refused(&self) -> bool {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

impl Nats {
    /// Makes ready; it connects when there is something to tell.
    pub fn new(config: NatsConfig) -> Result<Self> {
        let is_one = |url: &str| {
            let rest = url.strip_prefix("nats://").or(url.strip_prefix("tls://"));
            rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['@', '/', ' ']))
        };
        match config.url.split(',').all(is_one) {
            true => Ok(Self { config, connected: Mutex::default() }),
            // A password may stand in it, so it is not said again.
            false => Err(Error::invalid("the address of the NATS server cannot be used").hint(
                "expected nats://HOST:PORT or tls://HOST:PORT; who asks is said by NATS_CREDS, NATS_USER and NATS_PASSWORD, \
                 or NATS_TOKEN",
            )),
        }
    }

    async fn connect(&self) -> Result<Connected> {
        let refused: Arc<Mutex<Option<String>>> = Arc::default();
        let heard = refused.clone();
        let mut options = ConnectOptions::new()
            .name("damctl")
            .connection_timeout(Duration::from_secs(5))
            .event_callback(move |event| {
                if let async_nats::Event::ServerError(ServerError::AuthorizationViolation | ServerError::Other(_)) =
                    &event
                {
                    *heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(event.to_string());
                }
                async {}
            });
        if let Some(file) = &self.config.credentials {
            options = options.credentials_file(file).await.map_err(|e| {
                Error::invalid(format!("cannot read NATS credentials from {}", file.display())).because(e)
            })?;
        }
        if let Some((user, password)) = &self.config.user {
            options = options.user_and_password(user.clone(), password.clone());
        }
        if let Some(token) = &self.config.token {
            options = options.token(token.clone());
        }
        let servers: Vec<&str> = self.config.url.split(',').collect();
        let client = options.connect(servers).await.map_err(|e| {
            let kind = match e.kind() {
                async_nats::ConnectErrorKind::Authentication | async_nats::ConnectErrorKind::AuthorizationViolation => {
                    Kind::Invalid
                }
                _ => Kind::Unavailable,
            };
            Error::new(kind, format!("cannot connect to the NATS server {}", self.config.url)).because(e)
        })?;
        Ok(Connected { client, refused })
    }

    async fn publish(&self, connected: &Connected, feed: &Feed, events: &[Event]) -> Result<()> {
        let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
            Error::unavailable(format!("the NATS server {} does not take events", self.config.url)).because(e)
        };
        let messages = events.iter().map(|event| -> Result<_> {
            let payload =
                serde_json::to_vec(event).map_err(|e| Error::internal("an event that is no JSON").because(e))?;
            Ok((subject(event), format!("{}-{}", feed.id, event.seq), bytes::Bytes::from(payload)))
        });
        let messages = messages.collect::<Result<Vec<_>>>()?;
        let id = |id: &str| {
            let mut headers = HeaderMap::new();
            // What comes again within the stream's window is dropped by the server.
            headers.insert("Nats-Msg-Id", id);
            headers
        };
        if let Some(stream) = &self.config.stream {
            let context = jetstream::new(connected.client.clone());
            let mut waiting = Vec::with_capacity(messages.len());
            for (subject, message, payload) in messages {
                let mut headers = id(&message);
                headers.insert("Nats-Expected-Stream", stream.as_str());
                waiting
                    .push(context.publish_with_headers(subject, headers, payload).await.map_err(|e| failed(e.into()))?);
            }
            for confirmed in waiting {
                confirmed.await.map_err(|e| match e.kind() {
                    jetstream::context::PublishErrorKind::StreamNotFound
                    | jetstream::context::PublishErrorKind::WrongLastSequence => {
                        Error::invalid(format!("no JetStream stream '{stream}' keeps these events"))
                            .because(e)
                            .hint(format!("'nats stream add {stream} --subjects \"media.>\"' makes one"))
                    }
                    _ => failed(e.into()),
                })?;
            }
            return Ok(());
        }
        // The server takes what one connection sends in its order: once this one has come back, it has them all.
        let client = &connected.client;
        let inbox = client.new_inbox();
        let mut back = client.subscribe(inbox.clone()).await.map_err(|e| failed(e.into()))?;
        for (subject, message, payload) in messages {
            client.publish_with_headers(subject, id(&message), payload).await.map_err(|e| failed(e.into()))?;
        }
        client.publish(inbox, bytes::Bytes::new()).await.map_err(|e| failed(e.into()))?;
        client.flush().await.map_err(|e| failed(e.into()))?;
        // What the server refuses it says beside, and never answers.
        while !connected.is_refused() {
            match tokio::time::timeout(Duration::from_millis(100), back.next()).await {
                Ok(Some(_)) => return Ok(()),
                Ok(None) => return Err(failed("the connection ended".into())),
                Err(_) => {}
            }
        }
        Ok(())
    }
}

/// Where an event is published.
fn subject(event: &Event) -> String {
    let key = event.detail["subject"].as_str().filter(|_| event.kind.starts_with("job.")).unwrap_or(&event.subject);
    let kind = match event.kind.as_str() {
        "job.started" => "process.started",
        "job.done" => "process.completed",
        "job.failed" => "process.failed",
        other => other,
    };
    format!("media.{kind}.{}", token(key))
}

/// A key as one token of a subject: what would end it or stand for others is written `%XX`.
fn token(key: &str) -> String {
    let mut out = String::new();
    for byte in key.bytes() {
        match byte {
            b'!'..=b'~' if !b".*>%".contains(&byte) => out.push(byte as char),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    if out.is_empty() { "%".to_owned() } else { out }
}

impl Subscriber for Nats {
    fn name(&self) -> String {
        match &self.config.stream {
            Some(stream) => format!("nats {} {stream}", self.config.url),
            None => format!("nats {}", self.config.url),
        }
    }

    fn deliver(&self, feed: &Feed, events: &[Event]) -> Result<()> {
        let mut kept = self.connected.lock().unwrap_or_else(PoisonError::into_inner);
        let told = block::on(async {
            let connected = match &*kept {
                Some(connected) => connected.clone(),
                None => self.connect().await?,
            };
            let told = tokio::time::timeout(PATIENCE, self.publish(&connected, feed, events)).await;
            let refused = connected.refused.lock().unwrap_or_else(PoisonError::into_inner).take();
            match (told, refused) {
                (_, Some(why)) => {
                    Err(Error::invalid(format!("the NATS server {} refuses events: {why}", self.config.url))
                        .hint("the user needs the right to publish to media.>, and to subscribe to _INBOX.>"))
                }
                (Ok(Ok(())), None) => Ok(connected),
                (Ok(Err(e)), None) => Err(e),
                (Err(_), None) => {
                    Err(Error::unavailable(format!("the NATS server {} does not answer", self.config.url)))
                }
            }
        })?;
        // After an error the next try begins with another connection, which has nothing left in it of this one.
        *kept = None;
        *kept = Some(told?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_subject() {
        let event = |kind: &str, subject: &str, job: Option<&str>| Event {
            seq: 1,
            at: 0,
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            detail: serde_json::json!({"subject": job}),
        };
        let of_job = |kind: &str, subject: &str| super::subject(&event(kind, "0123abcd", Some(subject)));
        assert_eq!(of_job("job.started", "01890a5d"), "media.process.started.01890a5d");
        assert_eq!(of_job("job.done", "DCIM/a b.mov"), "media.process.completed.DCIM/a%20b%2Emov");
        assert_eq!(of_job("job.failed", "*>%ñ"), "media.process.failed.%2A%3E%25%C3%B1");
        assert_eq!(of_job("job.retried", ""), "media.job.retried.%");
        assert_eq!(super::subject(&event("asset.stored", "id", None)), "media.asset.stored.id");
    }

    #[test]
    fn an_address_with_a_password_is_refused_without_being_said() {
        for url in ["", "nats://", "http://host", "nats://me:word@host", "nats://a,b", "nats://a b"] {
            let e = Nats::new(NatsConfig { url: url.to_owned(), ..NatsConfig::default() }).err();
            assert!(e.is_some_and(|e| !format!("{e:?}").contains("word")), "{url}");
        }
        assert!(Nats::new(NatsConfig { url: "nats://a:4222,tls://b".to_owned(), ..NatsConfig::default() }).is_ok());
    }
}
