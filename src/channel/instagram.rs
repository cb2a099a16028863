//! An Instagram professional account, by the Graph API. It fetches the file itself, from an address that is good for a while;
//! what it makes of it is a container, which is then published. The container says afterwards whether it was.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Account, Channel, Fate, Package, Retracted, Sent, Standing, Way, http::endpoint, meta::Graph};
use crate::{
    error::{Error, Result},
    model::{Receipt, Words, job::Failure},
    profile::channels::{Form, Page},
};

const OWN: &str = "https://graph.facebook.com";
/// How long it may take to fetch the file.
const VALID: Duration = Duration::from_secs(24 * 3600);
const SOON: Duration = Duration::from_secs(15);

/// An account.
pub(super) struct Instagram {
    graph: Graph,
    page: String,
    form: Form,
}

/// How far it has come.
#[derive(Serialize, Deserialize)]
struct Session {
    container: String,
    is_posting: bool,
}

impl Instagram {
    pub(super) fn new(page: &Page, account: Account) -> Result<Self> {
        let graph = Graph::new(endpoint(page.endpoint.as_deref(), OWN)?, account)?;
        Ok(Self { graph, page: page.id.clone(), form: page.form })
    }

    fn publish(&self, container: &str, way: &mut dyn Way) -> Result<Receipt> {
        way.posting(&json!(Session { container: container.to_owned(), is_posting: true }))?;
        let answer = self.graph.post(&format!("{}/media_publish", self.page), &[("creation_id", container)])?;
        let id = self.graph.told(&answer, "id")?;
        // It is published; where people find it may be told or not.
        let url = self.graph.get(&id, "permalink").ok().and_then(|a| a["permalink"].as_str().map(str::to_owned));
        Ok(Receipt { id, url, proof: json!({"container": container}) })
    }

    /// The latest post with these words: the one that a container became, when nobody heard.
    fn posted(&self, words: &str) -> Result<Option<Receipt>> {
        let answer = self.graph.get(&format!("{}/media", self.page), "id,caption,permalink")?;
        let found = answer["data"].as_array().into_iter().flatten().find(|post| post["caption"] == words);
        Ok(found.map(|post| Receipt {
            id: post["id"].as_str().unwrap_or_default().to_owned(),
            url: post["permalink"].as_str().map(str::to_owned),
            proof: Value::Null,
        }))
    }
}

impl Channel for Instagram {
    fn standing(&self) -> Result<Standing> {
        let answer = self.graph.get(&self.page, "username")?;
        Ok(Standing { name: answer["username"].as_str().map(str::to_owned), ..Standing::default() })
    }

    fn send(&self, package: &Package<'_>, session: Option<&Value>, way: &mut dyn Way) -> Result<Sent> {
        let Some(item) = package.media.first() else { return Err(Error::internal("a package without media")) };
        if let Some(session) = session {
            let session = Session::deserialize(session)
                .map_err(|e| Error::internal("a container's notes cannot be read").because(e))?;
            return Ok(Sent::Published(self.publish(&session.container, way)?));
        }
        let Some(address) = package.source.address(&item.key, VALID)? else {
            return Err(Error::unsupported(
                "Instagram fetches files itself, and this archive's store has no addresses",
            )
            .hint("a bucket has: 'store: s3://…'"));
        };
        let caption = caption(&package.words);
        let fields: Vec<(&str, &str)> = match self.form {
            Form::Picture => vec![("image_url", &address), ("caption", &caption)],
            Form::Video | Form::Reel => vec![("media_type", "REELS"), ("video_url", &address), ("caption", &caption)],
        };
        let answer = self.graph.post(&format!("{}/media", self.page), &fields)?;
        let session = Session { container: self.graph.told(&answer, "id")?, is_posting: false };
        way.keep(&json!(session))?;
        way.moved(item.bytes)?;
        Ok(Sent::Processing(json!(session), Duration::from_secs(2)))
    }

    fn find(&self, package: &Package<'_>, session: &Value) -> Result<Fate> {
        let mut session = Session::deserialize(session)
            .map_err(|e| Error::internal("a container's notes cannot be read").because(e))?;
        let answer = self.graph.get(&session.container, "status_code,status")?;
        match answer["status_code"].as_str() {
            Some("PUBLISHED") => {
                let found = self.posted(&caption(&package.words))?;
                let unnamed = Receipt { id: session.container, url: None, proof: answer.clone() };
                Ok(Fate::Published(found.unwrap_or(unnamed)))
            }
            Some("FINISHED") => {
                session.is_posting = false;
                Ok(Fate::Resumable(json!(session)))
            }
            Some("ERROR") => {
                let why = answer["status"].as_str().unwrap_or("no reason given");
                Ok(Fate::Failed(Failure::from(&Error::invalid(format!(
                    "{} could not take the file: {why}",
                    self.graph.place()
                )))))
            }
            // It was never published within its day.
            Some("EXPIRED") => Ok(Fate::Absent),
            _ => Ok(Fate::Processing(json!(session), SOON)),
        }
    }

    fn retract(&self, _: &Receipt) -> Result<Retracted> {
        Err(Error::unsupported("Instagram lets no program remove a post").hint("remove it in Instagram's app"))
    }
}

fn caption(words: &Words) -> String {
    let tags: Vec<String> = words.tags.iter().map(|tag| format!("#{}", tag.replace(' ', ""))).collect();
    let text = if words.description.is_empty() { &words.title } else { &words.description };
    if tags.is_empty() { text.clone() } else { format!("{text}\n{}", tags.join(" ")) }
}
