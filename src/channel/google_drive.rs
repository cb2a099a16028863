//! Google Drive, by its API v3: a resumable upload into a folder. A file there carries the publication's marker as a property
//! of this program's own, by which it is found again; its SHA-256, which Drive tells, is compared.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Account, Channel, Fate, Item, Package, Retracted, Sent, Standing, Way,
    google::{Google, Progress, related},
    http::{Request, endpoint},
    piece,
};
use crate::{
    error::{Error, Result},
    model::Receipt,
    profile::channels::Drive,
};

const OWN: &str = "https://www.googleapis.com";
const FIELDS: &str = "id,name,size,sha256Checksum,webViewLink";

/// A folder of Google Drive.
pub(super) struct GoogleDrive {
    google: Google,
    endpoint: String,
    folder: Option<String>,
}

/// How far it has come.
#[derive(Default, Serialize, Deserialize)]
struct Session {
    /// The upload's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upload: Option<String>,
    /// The file that it became.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

impl Session {
    fn read(value: &Value) -> Result<Self> {
        Self::deserialize(value).map_err(|e| Error::internal("an upload's notes cannot be read").because(e))
    }
}

impl GoogleDrive {
    pub(super) fn new(drive: &Drive, account: Account) -> Result<Self> {
        let endpoint = endpoint(drive.endpoint.as_deref(), OWN)?;
        Ok(Self { google: Google::new(account)?, endpoint, folder: drive.folder.clone() })
    }

    fn metadata(&self, name: &str, marker: &str, description: &str) -> Value {
        let mut it = json!({"name": name, "appProperties": {"damctl": marker}, "description": description});
        if let Some(folder) = &self.folder {
            it["parents"] = json!([folder]);
        }
        it
    }

    /// The files that carry a marker.
    fn marked(&self, marker: &str) -> Result<Vec<Value>> {
        let query = format!("appProperties has {{ key='damctl' and value='{marker}' }} and trashed = false");
        let fields = format!("files({FIELDS})");
        let reply = self.google.ask(|| {
            Ok(Request::get(format!("{}/drive/v3/files", self.endpoint)).query(&[("q", &query), ("fields", &fields)]))
        })?;
        Ok(reply.accepted(self.google.place())?.json()["files"].as_array().cloned().unwrap_or_default())
    }

    /// Subtitles, each a file beside; those that are there are left alone.
    fn captions(&self, package: &Package<'_>, there: &[Value], way: &mut dyn Way) -> Result<()> {
        for item in package.captions.iter().filter(|item| !there.iter().any(|file| file["name"] == item.name.as_str()))
        {
            let bytes = piece(package.source, item, 0, item.bytes)?;
            let (kind, body) = related(&self.metadata(&item.name, &package.marker, ""), &item.mime, &bytes);
            let reply = self.google.ask(|| {
                Ok(Request::post(format!("{}/upload/drive/v3/files", self.endpoint))
                    .query(&[("uploadType", "multipart"), ("fields", FIELDS)])
                    .bytes(&kind, body.clone()))
            })?;
            reply.accepted(self.google.place())?;
            way.moved(item.bytes)?;
        }
        Ok(())
    }

    /// A file that is all there, held against what was sent.
    fn proven(&self, item: &Item, file: &Value) -> Result<Receipt> {
        let (id, place) = (file["id"].as_str().unwrap_or_default(), self.google.place());
        let told = file["sha256Checksum"].as_str();
        if told.is_some_and(|told| told != item.digest.to_string()) {
            return Err(Error::corrupt(format!("{place}: what arrived there as {id} has other bytes than were sent"))
                .hint("remove it there, then give the same command again"));
        }
        let url = file["webViewLink"].as_str().map(str::to_owned);
        Ok(Receipt { id: id.to_owned(), url, proof: json!({"sha256": told, "bytes": file["size"]}) })
    }

    fn file(&self, id: &str) -> Result<Value> {
        let reply = self
            .google
            .ask(|| Ok(Request::get(format!("{}/drive/v3/files/{id}", self.endpoint)).query(&[("fields", FIELDS)])))?;
        Ok(reply.accepted(self.google.place())?.json())
    }
}

impl Channel for GoogleDrive {
    fn standing(&self) -> Result<Standing> {
        let reply = self
            .google
            .ask(|| Ok(Request::get(format!("{}/drive/v3/about", self.endpoint)).query(&[("fields", "user")])))?;
        Ok(Standing { name: reply.accepted(self.google.place())?.text("/user/displayName"), ..Standing::default() })
    }

    fn send(&self, package: &Package<'_>, session: Option<&Value>, way: &mut dyn Way) -> Result<Sent> {
        let Some(item) = package.media.first() else { return Err(Error::internal("a package without media")) };
        let mut session = session.map(Session::read).transpose()?.unwrap_or_default();
        let id = match &session.file {
            Some(id) => id.clone(),
            None => {
                let (address, at) = match &session.upload {
                    Some(address) => (address.clone(), self.google.asked(address, item.bytes)?),
                    None => {
                        let url = format!("{}/upload/drive/v3/files", self.endpoint);
                        let metadata = self.metadata(&item.name, &package.marker, &package.words.description);
                        let query = [("uploadType", "resumable"), ("fields", FIELDS)];
                        let address = self.google.begin(&url, &query, &metadata, item)?;
                        session.upload = Some(address.clone());
                        way.keep(&json!(session))?;
                        (address, Progress::Has(0))
                    }
                };
                let id = match at {
                    Progress::Done(id) => id,
                    Progress::Has(at) => self.google.upload(package, item, (&address, at), &json!(session), way)?,
                    Progress::Gone => {
                        return Err(Error::unavailable(format!("{} has ended the upload", self.google.place())));
                    }
                };
                session.file = Some(id.clone());
                way.keep(&json!(session))?;
                id
            }
        };
        self.captions(package, &self.marked(&package.marker)?, way)?;
        Ok(Sent::Published(self.proven(item, &self.file(&id)?)?))
    }

    fn find(&self, package: &Package<'_>, session: &Value) -> Result<Fate> {
        let mut session = Session::read(session)?;
        let Some(item) = package.media.first() else { return Ok(Fate::Absent) };
        if session.file.is_none() {
            let Some(address) = &session.upload else { return Ok(Fate::Absent) };
            match self.google.asked(address, item.bytes)? {
                Progress::Has(_) => return Ok(Fate::Resumable(json!(session))),
                Progress::Done(id) => session.file = Some(id),
                Progress::Gone => {
                    let there = self.marked(&package.marker)?;
                    let found = there.iter().find(|file| file["name"] == item.name.as_str());
                    match found.and_then(|file| file["id"].as_str()) {
                        Some(id) => session.file = Some(id.to_owned()),
                        None => return Ok(Fate::Absent),
                    }
                }
            }
        }
        // What else there is to send is sent if it is not there.
        Ok(Fate::Resumable(json!(session)))
    }

    fn retract(&self, receipt: &Receipt) -> Result<Retracted> {
        let reply = self
            .google
            .ask(|| Ok(Request::new("DELETE", format!("{}/drive/v3/files/{}", self.endpoint, receipt.id))))?;
        match reply.status {
            404 => Ok(Retracted::Absent),
            _ => reply.accepted(self.google.place()).map(|reply| Retracted::Gone(json!({"status": reply.status}))),
        }
    }
}
