//! A WordPress site, by its REST API: the media as one stream, and a post with it where one is wanted. Both carry the
//! publication's marker as their slug, by which they are found again.

use base64::Engine as _;
use serde_json::{Value, json};

use super::{
    Account, Channel, Fate, Item, Package, Retracted, Sent, Standing, Way,
    http::{Http, Reply, Request, endpoint},
};
use crate::{
    error::{Error, Result},
    model::Receipt,
    profile::channels::WordPress as Site,
};

/// A site.
pub(super) struct WordPress {
    http: Http,
    account: Account,
    site: String,
    post: Option<String>,
}

impl WordPress {
    pub(super) fn new(site: &Site, account: Account) -> Result<Self> {
        Ok(Self {
            http: Http::new(&account)?.opened_by(&account, "user and password (an application password)"),
            account,
            site: endpoint(Some(&site.site), "")?,
            post: site.post.clone(),
        })
    }

    fn api(&self, path: &str) -> String {
        format!("{}/wp-json/wp/v2/{path}", self.site)
    }

    fn ask(&self, request: Request<'_>) -> Result<Reply> {
        let (user, password) = (self.account.secret("user")?, self.account.secret("password")?);
        let both = format!("{}:{}", user.expose(), password.expose());
        let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(both));
        let reply = self.http.ask(request.header("authorization", basic))?;
        if reply.status == 401 {
            return Err(Error::invalid(format!("{}: user or application password is wrong", self.http.place()))
                .hint("make an application password on the user's profile page, and keep it as 'password'")
                .code("HTTP 401"));
        }
        Ok(reply)
    }

    fn told(&self, request: Request<'_>) -> Result<Value> {
        Ok(self.ask(request)?.accepted(self.http.place())?.json())
    }

    /// The same of something that is made: it has a number.
    fn made(&self, request: Request<'_>) -> Result<Value> {
        let made = self.told(request)?;
        match made["id"].as_i64() {
            Some(_) => Ok(made),
            None => Err(Error::unavailable(format!("{} did not say what it made", self.http.place()))
                .hint("a page for people may have answered: is the site under maintenance?")),
        }
    }

    /// What carries a slug.
    fn slugged(&self, kind: &str, slug: &str) -> Result<Option<Value>> {
        let status = if kind == "posts" { "any" } else { "inherit,private" };
        let found = self.told(Request::get(self.api(kind)).query(&[
            ("slug", slug),
            ("status", status),
            ("context", "edit"),
            ("per_page", "5"),
        ]))?;
        Ok(found.as_array().and_then(|all| all.first().cloned()))
    }

    /// Media under a slug, sent if it is not there.
    fn media(&self, package: &Package<'_>, item: &Item, slug: &str, way: &mut dyn Way) -> Result<Value> {
        if let Some(there) = self.slugged("media", slug)? {
            if !is_half(&there, item) {
                return Ok(there);
            }
            // Some servers hand on what came of a request that broke. It is ours, and nothing shows it.
            let url = self.api(&format!("media/{}", there["id"]));
            self.told(Request::new("DELETE", url).query(&[("force", "true")]))?;
        }
        let name: String = item.name.chars().map(|c| if c.is_ascii_graphic() && c != '"' { c } else { '_' }).collect();
        let name = name.rsplit('/').next().unwrap_or("file").to_owned();
        let from = package.source.open(&item.key, None)?;
        let request = Request::post(self.api("media"))
            .query(&[("slug", slug), ("title", &package.words.title), ("description", &package.words.description)])
            .header("content-disposition", format!("attachment; filename=\"{name}\""))
            .stream(&item.mime, from, item.bytes, way);
        self.made(request)
    }

    fn receipt(&self, media: &Value, post: Option<&Value>) -> Receipt {
        let id = |of: &Value| of["id"].as_i64().unwrap_or_default();
        let shown = post.unwrap_or(media);
        let url = shown["link"].as_str().or_else(|| media["source_url"].as_str()).map(str::to_owned);
        let proof = json!({"media": id(media), "post": post.map(id), "file": media["source_url"]});
        Receipt { id: id(shown).to_string(), url, proof }
    }

    fn content(&self, package: &Package<'_>, media: &Value, tracks: &[(String, String)]) -> String {
        let url = escaped(media["source_url"].as_str().unwrap_or_default());
        let id = media["id"].as_i64().unwrap_or_default();
        let text = escaped(&package.words.description).replace('\n', "<br>");
        let tracks: String = tracks
            .iter()
            .map(|(language, url)| {
                let (language, url) = (escaped(language), escaped(url));
                format!("<track kind=\"captions\" srclang=\"{language}\" src=\"{url}\">")
            })
            .collect();
        let mime = package.media.first().map_or("", |item| item.mime.as_str());
        let block = match mime.split('/').next() {
            Some("video") => format!(
                "<!-- wp:video {{\"id\":{id}}} -->\n<figure class=\"wp-block-video\"><video controls src=\"{url}\">{tracks}</video></figure>\n<!-- /wp:video -->"
            ),
            Some("audio") => format!(
                "<!-- wp:audio {{\"id\":{id}}} -->\n<figure class=\"wp-block-audio\"><audio controls src=\"{url}\"></audio></figure>\n<!-- /wp:audio -->"
            ),
            _ => format!(
                "<!-- wp:image {{\"id\":{id}}} -->\n<figure class=\"wp-block-image\"><img src=\"{url}\" alt=\"\"></figure>\n<!-- /wp:image -->"
            ),
        };
        match text.is_empty() {
            true => block,
            false => format!("{block}\n\n<!-- wp:paragraph -->\n<p>{text}</p>\n<!-- /wp:paragraph -->"),
        }
    }
}

/// Whether an attachment has fewer bytes than were to be sent. Of pictures the site may keep a smaller one.
fn is_half(there: &Value, item: &Item) -> bool {
    let bytes = there.pointer("/media_details/filesize").and_then(Value::as_u64);
    !item.mime.starts_with("image/") && bytes.is_some_and(|bytes| bytes != item.bytes)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl Channel for WordPress {
    fn standing(&self) -> Result<Standing> {
        let me = self.told(Request::get(self.api("users/me")).query(&[("context", "edit")]))?;
        let may = |what: &str| me.pointer(&format!("/capabilities/{what}")).and_then(Value::as_bool) == Some(true);
        let name = me["name"].as_str().map(str::to_owned);
        if !may("upload_files") || (self.post.is_some() && !may("edit_posts")) {
            return Err(Error::invalid(format!("{}: this user may not upload files or edit posts", self.http.place()))
                .hint("give the user the role of an author or an editor"));
        }
        Ok(Standing { name, ..Standing::default() })
    }

    fn send(&self, package: &Package<'_>, _: Option<&Value>, way: &mut dyn Way) -> Result<Sent> {
        let Some(item) = package.media.first() else { return Err(Error::internal("a package without media")) };
        // Every step looks first what is there; so it can be gone through again.
        way.posting(&json!({"slug": package.marker}))?;
        let media = self.media(package, item, &package.marker, way)?;
        let Some(state) = &self.post else { return Ok(Sent::Published(self.receipt(&media, None))) };
        let (mut tracks, mut beside) = (Vec::new(), Vec::new());
        for caption in &package.captions {
            let language = caption.language.clone().unwrap_or_default();
            let sent = self.media(package, caption, &format!("{}-{language}", package.marker), way)?;
            beside.push(sent["id"].clone());
            tracks.push((language, sent["source_url"].as_str().unwrap_or_default().to_owned()));
        }
        let mut post = json!({
            "title": package.words.title, "content": self.content(package, &media, &tracks), "status": state,
            "slug": package.marker,
        });
        if let Some(thumbnail) = &package.thumbnail {
            let sent = self.media(package, thumbnail, &format!("{}-picture", package.marker), way)?;
            post["featured_media"] = sent["id"].clone();
            beside.push(sent["id"].clone());
        }
        let path = match self.slugged("posts", &package.marker)? {
            Some(there) => format!("posts/{}", there["id"]),
            None => "posts".to_owned(),
        };
        let made = self.made(Request::post(self.api(&path)).json(&post))?;
        let mut receipt = self.receipt(&media, Some(&made));
        receipt.proof["beside"] = json!(beside);
        Ok(Sent::Published(receipt))
    }

    fn find(&self, package: &Package<'_>, session: &Value) -> Result<Fate> {
        let Some(media) = self.slugged("media", &package.marker)? else { return Ok(Fate::Absent) };
        if self.post.is_none() {
            return Ok(Fate::Published(self.receipt(&media, None)));
        }
        Ok(match self.slugged("posts", &package.marker)? {
            Some(post) => Fate::Published(self.receipt(&media, Some(&post))),
            None => Fate::Resumable(session.clone()),
        })
    }

    fn retract(&self, receipt: &Receipt) -> Result<Retracted> {
        let proof = receipt.proof.get("published").unwrap_or(&receipt.proof);
        let mut gone = Vec::new();
        let beside = proof["beside"].as_array().into_iter().flatten().map(|id| ("media", id));
        for (kind, id) in [("posts", &proof["post"]), ("media", &proof["media"])].into_iter().chain(beside) {
            let Some(id) = id.as_i64() else { continue };
            let reply =
                self.ask(Request::new("DELETE", self.api(&format!("{kind}/{id}"))).query(&[("force", "true")]))?;
            if !matches!(reply.status, 404 | 410) {
                reply.accepted(self.http.place())?;
                gone.push(format!("{kind}/{id}"));
            }
        }
        Ok(if gone.is_empty() { Retracted::Absent } else { Retracted::Gone(json!(gone)) })
    }
}
