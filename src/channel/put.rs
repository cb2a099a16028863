//! A delivery area behind HTTP PUT: each file under its own name, what is opened last, nothing overwritten.

use std::io::Read;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    Account, Channel, Fate, Package, Retracted, Sent, Standing, Way,
    http::{Http, Reply, Request, endpoint},
    names::{Named, below, in_order},
};
use crate::{
    digest::Digest,
    error::{Error, Kind, Result},
    model::Receipt,
    profile::channels::HttpPut,
};

/// What is compared of a large file that is there already and of which the server tells no SHA-256: this much of its beginning
/// and of its end.
const EDGE: u64 = 1 << 20;

/// An address below which files go.
pub struct PutChannel {
    url: String,
    public: Option<String>,
    account: Account,
    http: Http,
}

fn read(package: &Package<'_>, file: &Named<'_>, from: u64, to: u64) -> Result<Vec<u8>> {
    let Some(key) = file.key else {
        return Ok(file.written.get(from as usize..to as usize).unwrap_or_default().to_vec());
    };
    let mut all = Vec::new();
    let mut reader = package.source.open(key, Some(from..to))?;
    reader.read_to_end(&mut all).map_err(|e| crate::error::io(format!("cannot read {key}"), e))?;
    Ok(all)
}

/// What a server has under a name.
#[derive(Clone, Copy)]
struct There {
    bytes: u64,
    /// Where it tells.
    digest: Option<Digest>,
}

impl There {
    /// Whether nothing that the server tells speaks against it.
    fn is(&self, put: &Named<'_>) -> bool {
        self.bytes == put.bytes && self.digest.is_none_or(|digest| digest == put.digest)
    }
}

/// The SHA-256 that a server tells of what it has: `Repr-Digest: sha-256=:…:`, `Digest: SHA-256=…`.
fn digest_of(reply: &Reply) -> Option<Digest> {
    let of = |text: &str| {
        let (name, value) = text.trim().split_once('=')?;
        let bytes = STANDARD.decode(value.trim_matches(':')).ok().filter(|_| name.eq_ignore_ascii_case("sha-256"))?;
        bytes.iter().map(|b| format!("{b:02x}")).collect::<String>().parse().ok()
    };
    let told = ["repr-digest", "digest"].into_iter().filter_map(|name| reply.header(name));
    told.flat_map(|all| all.split(',')).find_map(of)
}

impl PutChannel {
    /// Of a place whose `url` is no template any more. Errors: `Invalid` for an address that is not encrypted and not this
    /// machine's.
    pub fn new(place: &HttpPut, account: Account) -> Result<Self> {
        let url = endpoint(Some(&place.url), "")?;
        Ok(Self {
            url,
            public: place.public.clone(),
            http: Http::new(&account)?.opened_by(&account, "token, or user and password,"),
            account,
        })
    }

    fn address(&self, name: &str) -> Result<String> {
        below(&self.url, name)
    }

    fn ask(&self, request: Request<'_>) -> Result<Reply> {
        let fields = self.account.fields()?;
        let field = |name: &str| fields.get(name).map(|secret| secret.expose());
        let request = match (field("token"), field("user"), field("password")) {
            (Some(token), ..) => request.header("authorization", format!("Bearer {token}")),
            (None, Some(user), password) => {
                let pair = STANDARD.encode(format!("{user}:{}", password.unwrap_or_default()));
                request.header("authorization", format!("Basic {pair}"))
            }
            _ => request,
        };
        self.http.ask(request)
    }

    /// What is there under a name; `None` when nothing is.
    fn there(&self, name: &str) -> Result<Option<There>> {
        // RFC 9530, and the one before it (RFC 3230).
        let asked = Request::new("HEAD", self.address(name)?).header("want-repr-digest", "sha-256=10");
        let reply = self.ask(asked.header("want-digest", "sha-256"))?;
        match reply.status {
            404 | 410 => Ok(None),
            200..=299 => match reply.header("content-length").and_then(|n| n.parse().ok()) {
                Some(bytes) => Ok(Some(There { bytes, digest: digest_of(&reply) })),
                None => Err(self.odd("does not tell the sizes of files")),
            },
            405 | 501 => Err(self.odd("does not answer HEAD")),
            _ => Err(reply.refusal(self.http.place())),
        }
    }

    fn odd(&self, words: &str) -> Error {
        Error::unsupported(format!("{} {words}", self.http.place()))
            .hint("without that nobody can tell what is there, and what was sent might be sent over somebody else's")
    }

    /// Whether what is there is what was to be sent: by its size, and by the SHA-256 that the server tells of it, else by all of
    /// a small file or both ends of a large one.
    fn is_same(&self, package: &Package<'_>, put: &Named<'_>, there: There) -> Result<bool> {
        let size = there.bytes;
        if size != put.bytes {
            return Ok(false);
        }
        if let Some(digest) = there.digest {
            return Ok(digest == put.digest);
        }
        let edges = [(0, EDGE.min(size)), (size.saturating_sub(EDGE), size)];
        for (from, to) in edges.into_iter().filter(|(from, to)| from < to) {
            let range = Request::get(self.address(put.name)?).header("range", format!("bytes={from}-{}", to - 1));
            let reply = self.ask(range)?;
            let theirs = match reply.status {
                206 => reply.body,
                200 => reply.body.get(from as usize..to as usize).unwrap_or_default().to_vec(),
                _ => return Err(reply.refusal(self.http.place())),
            };
            if theirs != read(package, put, from, to)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn taken(&self, name: &str) -> Error {
        Error::new(Kind::Conflict, format!("{}: '{name}' is another file already", self.http.place()))
            .hint("it is not overwritten: give the channel another address or name, or remove it there")
    }

    fn receipt(&self, package: &Package<'_>, puts: &[Named<'_>]) -> Result<Receipt> {
        let opened = package.media.first().map_or("", |item| item.name.as_str());
        let files: Vec<Value> =
            puts.iter().map(|p| json!({"name": p.name, "bytes": p.bytes, "sha256": p.digest})).collect();
        let url = self.public.as_deref().map(|public| below(public.trim_end_matches('/'), opened)).transpose()?;
        Ok(Receipt { id: opened.to_owned(), url, proof: json!({"url": self.url, "files": files}) })
    }
}

impl Channel for PutChannel {
    fn standing(&self) -> Result<Standing> {
        // A name that nobody has: what is refused is the credentials.
        self.there("damctl-is-this-there").map(|_| Standing::default())
    }

    fn send(&self, package: &Package<'_>, _: Option<&Value>, way: &mut dyn Way) -> Result<Sent> {
        let puts = in_order(package)?;
        way.keep(&json!({"step": "sending"}))?;
        // Whoever stands in the way is told of before a byte is sent.
        let mut left = Vec::new();
        for put in &puts {
            way.moved(0)?;
            match self.there(put.name)? {
                Some(there) if self.is_same(package, put, there)? => {}
                Some(_) => return Err(self.taken(put.name)),
                None => left.push(put),
            }
        }
        for put in left {
            if put.name == package.media[0].name {
                way.posting(&json!({"step": "opening"}))?;
            }
            // Servers that know conditions keep two from writing one name.
            let request = Request::put(self.address(put.name)?).header("if-none-match", "*");
            let reply = match put.key {
                Some(key) => {
                    let reader = package.source.open(key, None)?;
                    self.ask(request.stream(put.mime, reader, put.bytes, way))?
                }
                None => {
                    let reply = self.ask(request.bytes(put.mime, put.written.to_vec()))?;
                    way.moved(put.bytes)?;
                    reply
                }
            };
            match (reply.status, self.there(put.name)?) {
                (412 | 409, Some(there)) if self.is_same(package, put, there)? => {}
                (412 | 409, Some(_)) => return Err(self.taken(put.name)),
                (200..=299, Some(there)) if there.is(put) => {}
                (200..=299, found) => {
                    let found = found.map_or("nothing".to_owned(), |there| match there.bytes == put.bytes {
                        true => "other bytes".to_owned(),
                        false => format!("{} bytes", there.bytes),
                    });
                    let told = format!("{} took '{}', and has {found} of it", self.http.place(), put.name);
                    return Err(Error::unavailable(told));
                }
                _ => return Err(reply.refusal(self.http.place())),
            }
        }
        Ok(Sent::Published(self.receipt(package, &puts)?))
    }

    fn find(&self, package: &Package<'_>, session: &Value) -> Result<Fate> {
        let puts = in_order(package)?;
        let mut there = 0;
        for put in &puts {
            if let Some(found) = self.there(put.name)?
                && self.is_same(package, put, found)?
            {
                there += 1;
            }
        }
        Ok(match there {
            0 => Fate::Absent,
            n if n == puts.len() => Fate::Published(self.receipt(package, &puts)?),
            _ => Fate::Resumable(session.clone()),
        })
    }

    fn retract(&self, receipt: &Receipt) -> Result<Retracted> {
        let files = receipt.proof["files"].as_array().filter(|files| !files.is_empty());
        let files = files.ok_or_else(|| Error::invalid("the receipt names no files: they are not known"))?;
        let names: Vec<&str> = files.iter().rev().filter_map(|file| file["name"].as_str()).collect();
        let mut removed = Vec::new();
        for name in names {
            let reply = self.ask(Request::new("DELETE", self.address(name)?))?;
            match reply.status {
                404 | 410 => {}
                405 | 501 => {
                    return Err(Error::unsupported(format!("{} takes nothing back", self.http.place()))
                        .hint("remove it there by hand"));
                }
                _ => {
                    reply.accepted(self.http.place())?;
                    removed.push(name);
                }
            }
        }
        Ok(if removed.is_empty() { Retracted::Absent } else { Retracted::Gone(json!({"removed": removed})) })
    }
}
