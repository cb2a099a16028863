//! A strict S3 in this process, for what no server at hand verifies: the documented checksums of objects and of uploads
//! in parts (Amazon S3 User Guide, "Checking object integrity"). What it does not know of it refuses.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use damctl::digest::Digest;
use md5::Digest as _;

const ALGORITHMS: [&str; 2] = ["crc64nvme", "sha256"];

/// What it verifies, and what it holds.
#[derive(Default)]
pub struct Strict {
    /// Checksums that it knows; others it takes and ignores, as older servers do.
    pub verifies: Vec<&'static str>,
    /// Whether it takes bodies that are not those that were signed.
    pub trusts: bool,
    /// Whether the end of an upload may be conditional.
    pub exclusive_complete: bool,
    /// So many of the next parts arrive with a byte that is another.
    pub damage: usize,
    /// What was said with every write: method, what it writes to, and all headers.
    pub heard: Vec<(String, String, BTreeMap<String, String>)>,
    pub objects: BTreeMap<String, Object>,
    pub uploads: BTreeMap<String, Upload>,
}

#[derive(Clone, Default)]
pub struct Object {
    pub bytes: Vec<u8>,
    pub etag: String,
    /// Algorithm and value, as the server keeps it.
    pub checksum: Option<(&'static str, String)>,
    /// Storage class, where it is not the usual one.
    pub class: Option<String>,
    /// What `x-amz-restore` says.
    pub restore: Option<String>,
}

impl Object {
    /// Whether it is to be asked for before it is read ("Restoring an archived object").
    fn is_away(&self) -> bool {
        let is_cold = matches!(self.class.as_deref(), Some("GLACIER" | "DEEP_ARCHIVE"));
        is_cold && !self.restore.as_ref().is_some_and(|r| r.contains("\"false\""))
    }
}

pub struct Upload {
    class: Option<String>,
    key: String,
    algorithm: Option<&'static str>,
    parts: BTreeMap<u32, Object>,
}

pub type Shared = Arc<Mutex<Strict>>;

/// Starts it; gives its endpoint. It ends with the process.
pub fn serve(strict: Strict) -> (String, Shared) {
    let shared = Arc::new(Mutex::new(strict));
    let app = axum::Router::new().fallback(answer).with_state(shared.clone());
    let app = app.layer(axum::extract::DefaultBodyLimit::disable());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, app).await.unwrap();
        });
    });
    (endpoint, shared)
}

type Words = BTreeMap<String, String>;
type Answer = Result<Response, Refusal>;

/// Status and S3's code.
struct Refusal(u16, &'static str);

fn refuse(status: u16, code: &'static str) -> Refusal {
    Refusal(status, code)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = format!("<Error><Code>{}</Code><Message>refused by the test's server</Message></Error>", self.1);
        (StatusCode::from_u16(self.0).unwrap(), [("content-type", "application/xml")], body).into_response()
    }
}

async fn answer(
    State(shared): State<Shared>,
    method: Method,
    uri: Uri,
    Query(query): Query<Words>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (_, key) = uri.path().trim_start_matches('/').split_once('/').unwrap_or_default();
    let key = key.to_owned();
    let said = |name: &str| headers.get(name).map(|v| v.to_str().unwrap().to_owned());
    let mut strict = shared.lock().unwrap();
    let has = |name: &str| query.contains_key(name);
    if !key.is_empty() && matches!(method.as_str(), "PUT" | "POST") {
        let text = |v: &axum::http::HeaderValue| v.to_str().unwrap_or_default().to_owned();
        let headers = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        strict.heard.push((method.to_string(), uri.to_string(), headers));
    }
    let answer = match (method.as_str(), key.is_empty()) {
        ("HEAD" | "PUT", true) => Ok(StatusCode::OK.into_response()),
        ("GET", true) => strict.list(&query),
        ("POST", true) if has("delete") => strict.delete(&String::from_utf8_lossy(&body)),
        ("HEAD" | "GET", _) if !has("uploadId") => strict.read(&key, &said, method == Method::GET),
        ("GET", _) => strict.list_parts(&query["uploadId"]),
        ("PUT", _) if has("uploadId") => strict.part(&query, &said, &body),
        ("PUT", _) if said("x-amz-copy-source").is_some() => strict.copy(&key, &said),
        ("POST", _) if has("restore") => strict.restore(&key, &String::from_utf8_lossy(&body)),
        ("PUT", _) => strict.put(&key, &said, &body),
        ("POST", _) if has("uploads") => strict.begin(&key, &said),
        ("POST", _) if has("uploadId") => {
            strict.complete(&key, &query["uploadId"], &said, &String::from_utf8_lossy(&body))
        }
        ("DELETE", _) => {
            strict.uploads.remove(&query["uploadId"]);
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        _ => Err(refuse(501, "NotImplemented")),
    };
    answer.unwrap_or_else(IntoResponse::into_response)
}

type Said<'a> = &'a dyn Fn(&str) -> Option<String>;

fn xml(text: String) -> Response {
    ([("content-type", "application/xml")], text).into_response()
}

/// All values of an element.
fn all<'a>(xml: &'a str, element: &str) -> Vec<&'a str> {
    let open = format!("<{element}>");
    xml.split(open.as_str()).skip(1).filter_map(|rest| rest.split('<').next()).collect()
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(bytes)
}

fn md5(bytes: &[u8]) -> Vec<u8> {
    md5::Md5::digest(bytes).to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// CRC-64/NVME, bit by bit eight at a time: slow, and nobody else's.
fn crc64(bytes: &[u8]) -> u64 {
    let table: Vec<u64> = (0..256)
        .map(|i| (0..8).fold(i, |crc: u64, _| if crc & 1 == 1 { crc >> 1 ^ 0x9a6c_9329_ac4b_c9b5 } else { crc >> 1 }))
        .collect();
    !bytes.iter().fold(!0, |crc: u64, b| table[(crc as u8 ^ b) as usize] ^ crc >> 8)
}

fn checksum(algorithm: &str, bytes: &[u8]) -> String {
    match algorithm {
        "sha256" => base64(Digest::of(bytes).as_bytes()),
        _ => base64(crc64(bytes).to_be_bytes()),
    }
}

impl Strict {
    /// The body as it arrived, held against all that was said of it.
    fn receive(&self, said: Said<'_>, body: &[u8]) -> Result<Object, Refusal> {
        let payload = said("x-amz-content-sha256").unwrap_or_default();
        if !self.trusts && payload.len() == 64 && payload != Digest::of(body).to_string() {
            return Err(refuse(400, "XAmzContentSHA256Mismatch"));
        }
        if said("content-md5").is_some_and(|m| m != base64(md5(body))) {
            return Err(refuse(400, "BadDigest"));
        }
        let mut kept = None;
        for algorithm in ALGORITHMS {
            let Some(value) = said(&format!("x-amz-checksum-{algorithm}")) else { continue };
            if !self.verifies.contains(&algorithm) {
                continue;
            }
            let expected = said("x-amz-sdk-checksum-algorithm").unwrap_or_default().to_lowercase();
            if kept.is_some() || expected != algorithm {
                return Err(refuse(400, "InvalidRequest"));
            }
            if value != checksum(algorithm, body) {
                return Err(refuse(400, "BadDigest"));
            }
            kept = Some((algorithm, value));
        }
        let class = said("x-amz-storage-class");
        Ok(Object { bytes: body.to_vec(), etag: hex(&md5(body)), checksum: kept, class, restore: None })
    }

    fn put(&mut self, key: &str, said: Said<'_>, body: &[u8]) -> Answer {
        let object = self.receive(said, body)?;
        if said("if-none-match").is_some() && self.objects.contains_key(key) {
            return Err(refuse(412, "PreconditionFailed"));
        }
        let etag = format!("\"{}\"", object.etag);
        self.objects.insert(key.to_owned(), object);
        Ok([("etag", etag)].into_response())
    }

    fn begin(&mut self, key: &str, said: Said<'_>) -> Answer {
        let named = said("x-amz-checksum-algorithm").unwrap_or_default().to_lowercase();
        let algorithm = ALGORITHMS.into_iter().find(|a| *a == named).filter(|a| self.verifies.contains(a));
        let expected = match algorithm {
            Some("crc64nvme") => "FULL_OBJECT",
            Some(_) => "COMPOSITE",
            None => "",
        };
        if algorithm.is_some() && said("x-amz-checksum-type").unwrap_or_default() != expected {
            return Err(refuse(400, "InvalidRequest"));
        }
        let id = uuid::Uuid::now_v7().to_string();
        let answer =
            format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>");
        self.uploads.insert(
            id,
            Upload { class: said("x-amz-storage-class"), key: key.to_owned(), algorithm, parts: BTreeMap::new() },
        );
        Ok(xml(answer))
    }

    fn part(&mut self, query: &Words, said: Said<'_>, body: &[u8]) -> Answer {
        let mut body = body.to_vec();
        if self.damage > 0 && body.len() > 1000 {
            self.damage -= 1;
            body[500] ^= 1;
        }
        let mut part = self.receive(said, &body)?;
        let is_copy = said("x-amz-copy-source").is_some();
        if is_copy {
            let (from, range) = self.source(said)?;
            part = Object { bytes: from.bytes[range].to_vec(), ..Object::default() };
            part.etag = hex(&md5(&part.bytes));
        }
        let upload = self.uploads.get_mut(&query["uploadId"]).ok_or_else(|| refuse(404, "NoSuchUpload"))?;
        if is_copy {
            part.checksum = upload.algorithm.map(|a| (a, checksum(a, &part.bytes)));
        }
        if upload.algorithm != part.checksum.as_ref().map(|(a, _)| *a) {
            return Err(refuse(400, "InvalidRequest"));
        }
        let etag = format!("\"{}\"", part.etag);
        let sha256 = part.checksum.as_ref().filter(|(a, _)| *a == "sha256").map(|(_, sum)| sum.clone());
        upload.parts.insert(query["partNumber"].parse().unwrap(), part);
        if is_copy {
            let sum = sha256.map(|s| format!("<ChecksumSHA256>{s}</ChecksumSHA256>")).unwrap_or_default();
            return Ok(xml(format!("<CopyPartResult><ETag>{etag}</ETag>{sum}</CopyPartResult>")));
        }
        Ok([("etag", etag)].into_response())
    }

    /// The object that is to be copied, and which of its bytes.
    fn source(&self, said: Said<'_>) -> Result<(&Object, std::ops::Range<usize>), Refusal> {
        let from = said("x-amz-copy-source").unwrap_or_default();
        let (_, key) = from.trim_start_matches('/').split_once('/').unwrap();
        let object = self.objects.get(key).ok_or_else(|| refuse(404, "NoSuchKey"))?;
        if said("x-amz-copy-source-if-match").is_some_and(|tag| tag != format!("\"{}\"", object.etag)) {
            return Err(refuse(412, "PreconditionFailed"));
        }
        if object.is_away() {
            return Err(refuse(403, "InvalidObjectState"));
        }
        let range = said("x-amz-copy-source-range").map(|range| {
            let (from, to) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
            from.parse().unwrap()..to.parse::<usize>().unwrap() + 1
        });
        Ok((object, range.unwrap_or(0..object.bytes.len())))
    }

    /// A copy onto itself has to change something ("CopyObject"); of parts it makes one, and another ETag.
    fn copy(&mut self, key: &str, said: Said<'_>) -> Answer {
        let (from, _) = self.source(said)?;
        let class = said("x-amz-storage-class").filter(|c| c != "STANDARD");
        if class == from.class {
            return Err(refuse(400, "InvalidRequest"));
        }
        let object = Object { class, restore: None, etag: hex(&md5(&from.bytes)), ..from.clone() };
        let etag = object.etag.clone();
        self.objects.insert(key.to_owned(), object);
        Ok(xml(format!("<CopyObjectResult><ETag>{etag}</ETag></CopyObjectResult>")))
    }

    /// Answers and headers of `RestoreObject`, as they are documented.
    fn restore(&mut self, key: &str, body: &str) -> Answer {
        let object = self.objects.get_mut(key).ok_or_else(|| refuse(404, "NoSuchKey"))?;
        if !matches!(object.class.as_deref(), Some("GLACIER" | "DEEP_ARCHIVE")) {
            return Err(refuse(403, "InvalidObjectState"));
        }
        let tier = all(body, "Tier");
        if tier == ["Expedited"] && object.class.as_deref() == Some("DEEP_ARCHIVE") {
            return Err(refuse(400, "InvalidArgument"));
        }
        if all(body, "Days").len() != 1 || tier.len() != 1 {
            return Err(refuse(400, "MalformedXML"));
        }
        match object.restore.as_deref() {
            Some(said) if said.contains("\"true\"") => Err(refuse(409, "RestoreAlreadyInProgress")),
            Some(_) => Ok(StatusCode::OK.into_response()),
            None => {
                object.restore = Some("ongoing-request=\"true\"".to_owned());
                Ok(StatusCode::ACCEPTED.into_response())
            }
        }
    }

    fn complete(&mut self, key: &str, id: &str, said: Said<'_>, listed: &str) -> Answer {
        let upload = self.uploads.get(id).filter(|u| u.key == key).ok_or_else(|| refuse(404, "NoSuchUpload"))?;
        if said("if-none-match").is_some() && self.exclusive_complete && self.objects.contains_key(key) {
            return Err(refuse(412, "PreconditionFailed"));
        }
        let parts: Vec<&Object> = upload.parts.values().collect();
        let etags: Vec<String> = all(listed, "ETag").iter().map(|e| e.replace("&quot;", "").replace('"', "")).collect();
        if etags != parts.iter().map(|p| p.etag.clone()).collect::<Vec<_>>() {
            return Err(refuse(400, "InvalidPart"));
        }
        if parts.iter().rev().skip(1).any(|p| p.bytes.len() < 5 << 20) {
            return Err(refuse(400, "EntityTooSmall"));
        }
        let bytes = parts.iter().map(|p| p.bytes.as_slice()).collect::<Vec<_>>().concat();
        let checksum = match upload.algorithm {
            Some("crc64nvme") => {
                let whole = base64(crc64(&bytes).to_be_bytes());
                if said("x-amz-checksum-type").is_some_and(|t| t != "FULL_OBJECT")
                    || said("x-amz-checksum-crc64nvme").is_none_or(|c| c != whole)
                {
                    return Err(refuse(400, "BadDigest"));
                }
                Some(("crc64nvme", whole))
            }
            Some(algorithm) => {
                let kept: Vec<&str> = parts.iter().filter_map(|p| Some(p.checksum.as_ref()?.1.as_str())).collect();
                if all(listed, "ChecksumSHA256") != kept {
                    return Err(refuse(400, "InvalidPart"));
                }
                let digests: Vec<u8> = kept.iter().flat_map(|k| BASE64_STANDARD.decode(k).unwrap()).collect();
                Some((algorithm, format!("{}-{}", base64(Digest::of(digests).as_bytes()), kept.len())))
            }
            None => None,
        };
        let class = upload.class.clone().filter(|c| c != "STANDARD");
        let md5s: Vec<u8> = parts.iter().flat_map(|p| md5(&p.bytes)).collect();
        let etag = format!("{}-{}", hex(&md5(&md5s)), parts.len());
        self.objects.insert(key.to_owned(), Object { bytes, etag: etag.clone(), checksum, class, restore: None });
        self.uploads.remove(id);
        Ok(xml(format!("<CompleteMultipartUploadResult><ETag>{etag}</ETag></CompleteMultipartUploadResult>")))
    }

    fn read(&self, key: &str, said: Said<'_>, with_body: bool) -> Answer {
        let object = self.objects.get(key).ok_or_else(|| refuse(404, "NoSuchKey"))?;
        if with_body && object.is_away() {
            return Err(refuse(403, "InvalidObjectState"));
        }
        let mut response = Response::builder().header("etag", format!("\"{}\"", object.etag));
        for (name, value) in [("x-amz-storage-class", &object.class), ("x-amz-restore", &object.restore)] {
            response = value.iter().fold(response, |response, value| response.header(name, value));
        }
        if let Some((algorithm, value)) = object.checksum.as_ref().filter(|_| said("x-amz-checksum-mode").is_some()) {
            response = response.header(format!("x-amz-checksum-{algorithm}"), value);
        }
        let mut bytes = object.bytes.as_slice();
        if let Some(range) = said("range") {
            let (from, to) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
            bytes = &bytes[from.parse().unwrap()..to.parse::<usize>().unwrap() + 1];
            response = response.status(206);
        }
        let body = if with_body { bytes.to_vec() } else { Vec::new() };
        Ok(response.header("content-length", bytes.len()).body(body.into()).unwrap())
    }

    fn list(&self, query: &Words) -> Answer {
        let prefix = query.get("prefix").cloned().unwrap_or_default();
        if query.contains_key("uploads") {
            let uploads = self.uploads.iter().filter(|(_, u)| u.key.starts_with(&prefix));
            let uploads: String = uploads
                .map(|(id, u)| format!("<Upload><Key>{}</Key><UploadId>{id}</UploadId></Upload>", u.key))
                .collect();
            return Ok(xml(format!("<ListMultipartUploadsResult>{uploads}</ListMultipartUploadsResult>")));
        }
        let keys = self.objects.keys().filter(|k| k.starts_with(&prefix));
        let contents: String = keys.map(|key| format!("<Contents><Key>{key}</Key></Contents>")).collect();
        Ok(xml(format!("<ListBucketResult>{contents}</ListBucketResult>")))
    }

    fn list_parts(&self, id: &str) -> Answer {
        let upload = self.uploads.get(id).ok_or_else(|| refuse(404, "NoSuchUpload"))?;
        let part = |(number, p): (&u32, &Object)| {
            let (etag, bytes) = (&p.etag, p.bytes.len());
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag><Size>{bytes}</Size></Part>")
        };
        let parts: String = upload.parts.iter().map(part).collect();
        Ok(xml(format!("<ListPartsResult>{parts}</ListPartsResult>")))
    }

    fn delete(&mut self, listed: &str) -> Answer {
        all(listed, "Key").into_iter().for_each(|key| _ = self.objects.remove(key));
        Ok(xml("<DeleteResult></DeleteResult>".to_owned()))
    }
}
