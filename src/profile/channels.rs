//! `channels.yaml`: where things are published, as what, and with which words. What it says is sound once it is parsed;
//! secrets are never in it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schedule::Schedule;
use crate::{
    error::{Error, Result},
    model::{MediaFacts, MediaKind, Rate},
    secret::check_account,
};

/// All channels of an archive, and what goes to them by itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "damctl channels")]
pub struct Channels {
    /// By name: `a-z 0-9 _ -`.
    pub channels: BTreeMap<String, Outlet>,
    /// What is published without being asked for each time.
    pub rules: Vec<Rule>,
}

/// A channel: a place, an account there, and what it gets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outlet {
    /// The place, and what its kind of place is to be told.
    pub to: Place,
    /// Under which name its secrets are kept; left out: the channel's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Profile entries, the best first: of those that an asset has, the first that the place takes is sent. `master` is the
    /// original.
    pub send: Vec<String>,
    /// What its files are called, as a template without the ending.
    #[serde(default = "usual_name")]
    pub name: String,
    /// Languages of subtitles that go with it (BCP 47), where there are such.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captions: Vec<String>,
    /// The profile entry of the picture that stands for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
    /// What is said with it.
    #[serde(default)]
    pub text: Text,
    /// Files that are written for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sidecars: Vec<Companion>,
    /// What it takes, beside what its kind of place does: an account's own limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Bounds>,
    /// How often its account may publish, in place of what its kind of place allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Vec<Rate>>,
    /// Where it is shown (ISO 3166-1 alpha-2); none named: everywhere. What may not be shown in all of these is not sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub territories: Vec<String>,
    /// Whether somebody has to approve each publication.
    #[serde(default)]
    pub needs_approval: bool,
}

/// Bounds of media; what is left out is not bounded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// Shortest duration in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_ms: Option<u64>,
    /// Longest duration in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ms: Option<u64>,
    /// Media types.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<String>,
    /// As ffprobe names them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub video_codecs: Vec<String>,
    /// As ffprobe names them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audio_codecs: Vec<String>,
    /// Pixels, as shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_width: Option<u32>,
    /// Pixels, as shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_height: Option<u32>,
    /// Pixels of the longer side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_side: Option<u32>,
    /// Width by height, as shown: the least and the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aspect: Option<(f64, f64)>,
    /// Frames a second: the least and the most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<(f64, f64)>,
}

impl Bounds {
    /// What they are, for people.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut say = |text: Option<String>| words.extend(text);
        let list = |name: &str, list: &[String]| (!list.is_empty()).then(|| format!("{name} {}", list.join(" or ")));
        let seconds = |ms: u64| ms as f64 / 1000.0;
        say(self.max_bytes.map(|most| format!("up to {most} bytes")));
        say(self.min_ms.map(|least| format!("at least {} s", seconds(least))));
        say(self.max_ms.map(|most| format!("up to {} s", seconds(most))));
        say(list("as", &self.containers));
        say(list("pictures in", &self.video_codecs));
        say(list("sound in", &self.audio_codecs));
        say(self.min_width.map(|least| format!("at least {least} pixels wide")));
        say(self.min_height.map(|least| format!("at least {least} pixels high")));
        say(self.max_side.map(|most| format!("up to {most} pixels on the longer side")));
        say(self.aspect.map(|(least, most)| format!("an aspect of {least} to {most}")));
        say(self.frame_rate.map(|(least, most)| format!("{least} to {most} frames a second")));
        words
    }

    /// Adds what of this media lies outside, in words.
    pub fn against(&self, facts: &MediaFacts, bytes: u64, out: &mut Vec<String>) {
        if let Some(most) = self.max_bytes.filter(|most| bytes > *most) {
            out.push(format!("{bytes} bytes: {most} at most"));
        }
        let seconds = |ms: u64| ms as f64 / 1000.0;
        if let Some(ms) = facts.duration_ms {
            if let Some(least) = self.min_ms.filter(|least| ms < *least) {
                out.push(format!("{:.1} s long: {} s at least", seconds(ms), seconds(least)));
            }
            if let Some(most) = self.max_ms.filter(|most| ms > *most) {
                out.push(format!("{:.1} s long: {} s at most", seconds(ms), seconds(most)));
            }
        }
        let mut is_in = |list: &[String], what: &str, found: &str| {
            if !list.is_empty() && !list.iter().any(|known| known == found) {
                out.push(format!("{what} {found}: expected {}", list.join(", ")));
            }
        };
        is_in(&self.containers, "a file of type", &facts.mime);
        if let Some(video) = &facts.video {
            is_in(&self.video_codecs, "pictures in", &video.codec);
        }
        for audio in &facts.audio {
            is_in(&self.audio_codecs, "sound in", &audio.codec);
        }
        if let Some((width, height)) = shown(facts) {
            if self.min_width.is_some_and(|least| width < least) || self.min_height.is_some_and(|least| height < least)
            {
                let (w, h) = (self.min_width.unwrap_or(0), self.min_height.unwrap_or(0));
                out.push(format!("{width}x{height} pixels: {w}x{h} at least"));
            }
            if let Some(most) = self.max_side.filter(|most| width.max(height) > *most) {
                out.push(format!("{width}x{height} pixels: {most} at most on the longer side"));
            }
            let aspect = f64::from(width) / f64::from(height.max(1));
            if let Some((least, most)) = self.aspect.filter(|(least, most)| aspect < *least || aspect > *most) {
                out.push(format!("{width}x{height} pixels, an aspect of {aspect:.2}: expected {least} to {most}"));
            }
        }
        let rate = facts.video.as_ref().map(|v| f64::from(v.rate.0) / f64::from(v.rate.1.max(1))).filter(|r| *r > 0.0);
        if let (Some(rate), Some((least, most))) = (rate, self.frame_rate)
            && (rate < least - 0.1 || rate > most + 0.1)
        {
            out.push(format!("{rate:.2} frames a second: expected {least} to {most}"));
        }
    }
}

/// Width and height as shown.
fn shown(facts: &MediaFacts) -> Option<(u32, u32)> {
    if let Some(video) = &facts.video {
        let (sar_w, sar_h) = (f64::from(video.sar.0.max(1)), f64::from(video.sar.1.max(1)));
        let width = (f64::from(video.width) * sar_w / sar_h).round() as u32;
        return Some(if video.rotation % 180 == 90 { (video.height, width) } else { (width, video.height) });
    }
    let image = facts.image.as_ref()?;
    Some(if image.orientation > 4 { (image.height, image.width) } else { (image.width, image.height) })
}

/// Words, as templates: `{{ title }}`, `{{ text }}`, `{{ people | join(', ') }}`, …
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Text {
    /// The title.
    pub title: String,
    /// The text below it.
    pub description: String,
    /// Whether the asset's tags go with it.
    pub tags: bool,
    /// Who can see it, in the place's own word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privacy: Option<String>,
    /// The place's own word for what it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// BCP 47.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

impl Default for Text {
    fn default() -> Self {
        Self {
            title: "{{ title }}".to_owned(),
            description: "{{ text }}".to_owned(),
            tags: true,
            privacy: None,
            category: None,
            language: None,
        }
    }
}

/// A file that is written for a publication.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Companion {
    /// Its name, as a template.
    pub name: String,
    /// The template of its content, from the folder of `channels.yaml`: `.xml` and `.json` are escaped as such.
    pub template: PathBuf,
}

/// What goes to channels by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Of this collection; left out: of any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// Of this kind; left out: of any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<MediaKind>,
    /// With all of these tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Of this profile entry: it is what is sent, and assets that do not have it are left alone; left out: what each channel
    /// sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// To these channels.
    pub to: Vec<String>,
    /// Assets that came before this day are left alone: `2026-11-29`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// When: days (left out: all), times or windows, and a zone: `18:00 Europe/Madrid`, `Mon-Fri 09:00-13:00,18:30
    /// Europe/Madrid`; left out: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Whether somebody has to approve.
    #[serde(default)]
    pub needs_approval: bool,
}

/// The kinds of places.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// YouTube, by its Data API v3.
    Youtube(Web),
    /// A Facebook page's videos, by the Graph API.
    Facebook(Page),
    /// An Instagram professional account, by the Graph API. It fetches from the archive's bucket.
    Instagram(Page),
    /// X, by its API v2.
    X(Web),
    /// TikTok, by its Content Posting API.
    Tiktok(Web),
    /// A WordPress site, by its REST API.
    Wordpress(WordPress),
    /// Google Drive, by its API v3.
    GoogleDrive(Drive),
    /// An SFTP server.
    Sftp(Sftp),
    /// An FTP or FTPS server.
    Ftp(Ftp),
    /// A folder of the archive's own delivery area.
    Delivery(Delivery),
    /// A delivery area in a bucket.
    S3(Bucket),
    /// A delivery area behind HTTP PUT.
    HttpPut(HttpPut),
    /// Whoever listens at an address.
    Webhook(Hook),
}

impl Place {
    /// The word for its kind, as in `limits.yaml`.
    pub fn kind(&self) -> &'static str {
        match self {
            Place::Youtube(_) => "youtube",
            Place::Facebook(_) => "facebook",
            Place::Instagram(_) => "instagram",
            Place::X(_) => "x",
            Place::Tiktok(_) => "tiktok",
            Place::Wordpress(_) => "wordpress",
            Place::GoogleDrive(_) => "google_drive",
            Place::Sftp(_) => "sftp",
            Place::Ftp(_) => "ftp",
            Place::Delivery(_) => "delivery",
            Place::S3(_) => "s3",
            Place::HttpPut(_) => "http_put",
            Place::Webhook(_) => "webhook",
        }
    }

    /// Its template of a path.
    pub(crate) fn path(&self) -> Option<&str> {
        match self {
            Place::Sftp(sftp) => Some(&sftp.path),
            Place::Ftp(ftp) => Some(&ftp.path),
            Place::S3(bucket) => Some(&bucket.path),
            Place::HttpPut(put) => Some(&put.url),
            _ => None,
        }
    }
}

/// A platform whose account says everything else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Web {
    /// Another address than the platform's own, for a gateway or a test: `https://…`, or `http://` on loopback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}

/// A page or an account that another account manages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// Its number.
    pub id: String,
    /// A video of the page, a reel, or a picture; left out: a video.
    #[serde(default)]
    pub form: Form,
    /// Another address than the platform's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}

/// What it becomes on a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A video.
    #[default]
    Video,
    /// A reel.
    Reel,
    /// A post with a picture.
    Picture,
}

/// A WordPress site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WordPress {
    /// The site's address: `https://…`.
    pub site: String,
    /// Whether a post is made with it, and in which state: `draft`, `publish`, …; left out: media alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<String>,
}

/// A folder of Google Drive.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Drive {
    /// The folder's id; left out: the root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Another address than Google's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}

/// An SFTP server. Its account has `user`, and `key` (OpenSSH's format, with `passphrase`) or `password`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sftp {
    /// Host name or address.
    pub host: String,
    /// Port.
    #[serde(default = "port_of_ssh")]
    pub port: u16,
    /// The folder that files go to, as a template; from the user's own if it does not begin with `/`. Made if missing.
    #[serde(default)]
    pub path: String,
    /// The file that says which key the server has, as OpenSSH keeps it; left out: `~/.ssh/known_hosts`. A server that is
    /// not in it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<PathBuf>,
    /// How what arrived is checked.
    #[serde(default)]
    pub check: Check,
}

/// An FTP server. Its account has `user` and `password`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ftp {
    /// Host name or address.
    pub host: String,
    /// Port; left out: 21, or 990 for `implicit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The folder that files go to, as a template; made if missing.
    #[serde(default)]
    pub path: String,
    /// How it is encrypted.
    #[serde(default)]
    pub tls: Tls,
    /// A file with the certificates to trust besides the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// How what arrived is checked.
    #[serde(default)]
    pub check: Check,
}

/// How an FTP connection is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// From the first command on (`AUTH TLS`, RFC 4217).
    #[default]
    Explicit,
    /// From the first byte on.
    Implicit,
    /// Not at all: only where the network is trusted.
    None,
}

/// How what arrived is checked before it gets its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// By the server's own hash where it offers one, else by size.
    #[default]
    Hash,
    /// By reading it back.
    Read,
    /// By its size alone.
    Size,
}

/// A folder of the archive's own delivery area. Each publication has a prefix of its own there, of which nothing ever
/// changes: `delivery/FOLDER/ASSET/GENERATION/MARKER/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// `web`, `tv`, `social`: 1 to 32 of `a-z 0-9 - _`.
    pub folder: String,
    /// Where people find what lies in the area: `https://cdn.example/`; then a file is at `https://cdn.example/web/…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<String>,
}

impl Delivery {
    fn check(&self) -> Result<()> {
        let is_good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        match (1..=32).contains(&self.folder.len()) && self.folder.bytes().all(is_good) {
            true => Ok(()),
            false => {
                Err(Error::invalid(format!("folder '{}': expected 1 to 32 of a-z, 0-9, '-' and '_'", self.folder)))
            }
        }
    }
}

/// A delivery area in a bucket. Credentials come by the SDK's own chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Bucket.
    pub bucket: String,
    /// The prefix that files go below, as a template.
    #[serde(default)]
    pub path: String,
    /// The server's address; left out: AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The profile in the SDK's files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Where people find what lies there: `https://cdn.example/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<String>,
}

/// A delivery area behind HTTP PUT. Its account may have `token` (a bearer), or `user` and `password`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpPut {
    /// The address below which files go, as a template.
    pub url: String,
    /// Where people find what lies there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<String>,
}

/// Whoever listens at an address. Its account may have `key`, which signs what is told (Standard Webhooks).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// The address.
    pub url: String,
}

fn usual_name() -> String {
    "{{ stem }}_{{ short }}".to_owned()
}

fn port_of_ssh() -> u16 {
    22
}

impl Channels {
    /// Reads a file's text; `origin` is what errors call it.
    ///
    /// Errors: `Invalid`, with line and column.
    pub fn parse(yaml: &str, origin: &str) -> Result<Self> {
        let channels: Self = serde_saphyr::from_str(yaml).map_err(|e| Error::invalid(format!("{origin}: {e}")))?;
        channels.check().map_err(|e| Error::invalid(format!("{origin}: {}", e.one_line())))?;
        Ok(channels)
    }

    /// The JSON schema of the file.
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self> {
        use crate::error::Doing;
        let text = std::fs::read_to_string(path).doing(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// A channel by its name.
    pub fn get(&self, name: &str) -> Result<&Outlet> {
        self.channels.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.channels.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Error::invalid(format!("there is no channel '{name}'")).hint(format!("channels: {known}"))
        })
    }

    fn check(&self) -> Result<()> {
        for (name, outlet) in &self.channels {
            let within = |e: Error| e.within(format!("channel '{name}'"));
            check_account(name).map_err(within)?;
            outlet.account.as_deref().map_or(Ok(()), check_account).map_err(within)?;
            if let Place::Delivery(delivery) = &outlet.to {
                delivery.check().map_err(within)?;
            }
            if outlet.send.is_empty() {
                return Err(within(Error::invalid("'send' names no profile entry")));
            }
        }
        for rule in &self.rules {
            if rule.to.is_empty() {
                return Err(Error::invalid("a rule names no channel"));
            }
            rule.to.iter().try_for_each(|name| self.get(name).map(drop))?;
            let within = |e: Error| e.within("a rule");
            rule.since.as_deref().map(crate::model::description::moment).transpose().map_err(within)?;
            rule.at.as_deref().map(Schedule::parse).transpose().map_err(within)?;
            if rule.entry.as_deref().is_some_and(|entry| entry.trim().is_empty()) {
                return Err(within(Error::invalid("'entry' names no profile entry")));
            }
        }
        Ok(())
    }
}

impl Outlet {
    /// Under which name its secrets are kept, when it is called so.
    pub fn account<'a>(&'a self, name: &'a str) -> &'a str {
        self.account.as_deref().unwrap_or(name)
    }
}
