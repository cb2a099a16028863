//! The connection: where the buckets are, how they are reached, and what their errors mean.

use std::{path::PathBuf, time::Duration};

use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        delete_objects::builders::DeleteObjectsFluentBuilder,
        get_object::builders::GetObjectFluentBuilder,
        put_object::{PutObjectError, builders::PutObjectFluentBuilder},
    },
    types::{
        BucketLocationConstraint, CompletedMultipartUpload, CompletedPart, CreateBucketConfiguration, ObjectCannedAcl,
        ServerSideEncryption, StorageClass,
    },
};
use aws_smithy_http_client::tls;

use super::deposit;
use crate::{
    error::{Doing, Error, Kind, Result},
    model::{Area, Key},
    store::{OpenUpload, Part, Upload},
};

/// S3's limits (Amazon S3 User Guide, "Multipart upload limits").
const MOST_PARTS: u64 = 10_000;
const SMALLEST_PART: u64 = 5 << 20;
const LARGEST_PART: u64 = 5 << 30;
/// Kept by browsers and networks for ever, for nothing under a key ever changes.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// Where the buckets are and how they are used. Credentials come by the SDK's own chain: environment, profile, web
/// identity, container or instance role.
#[derive(Clone, Debug, Default)]
pub struct S3Config {
    /// `http://127.0.0.1:7480`; none for AWS.
    pub endpoint: Option<String>,
    /// None: what the environment or the profile says, else `us-east-1`.
    pub region: Option<String>,
    /// A named profile of the shared configuration files.
    pub profile: Option<String>,
    /// Whether the bucket stands in the path and not in the host name: what most servers but AWS want.
    pub path_style: bool,
    /// A file of PEM certificates to trust instead of the system's.
    pub ca_bundle: Option<PathBuf>,
    /// Bucket and prefix (may be empty) of each area, in the order of [`Area::ALL`].
    pub places: [(String, String); 3],
    /// Bytes of a part; 0: from the file's size.
    pub part_bytes: u64,
    /// Parts, or small objects, on their way at a time; memory is bounded by it.
    pub in_flight: usize,
    /// Server-side encryption: `AES256` or `aws:kms`.
    pub encryption: Option<String>,
    /// Storage class of masters: `STANDARD_IA`, `GLACIER_IR`, …
    pub storage_class: Option<String>,
    /// Canned ACL of renditions and delivery: `public-read`, …
    pub acl: Option<String>,
}

impl S3Config {
    /// Bytes of each part of a file of this size: at least 8 MiB, and as few more as 10,000 parts allow, in MiB.
    pub fn part_bytes(&self, size: u64) -> u64 {
        let wanted = if self.part_bytes == 0 { 8 << 20 } else { self.part_bytes };
        let least = size.div_ceil(MOST_PARTS).next_multiple_of(1 << 20);
        wanted.max(least).clamp(SMALLEST_PART, LARGEST_PART)
    }
}

/// An object as the store describes it.
pub(super) struct Head {
    pub(super) bytes: u64,
    pub(super) etag: String,
}

/// A client and what it was made of.
pub(super) struct Remote {
    client: Client,
    pub(super) config: S3Config,
}

impl Remote {
    pub(super) async fn connect(config: S3Config) -> Result<Self> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            // Throttled, it slows down by itself.
            .retry_config(RetryConfig::adaptive().with_max_attempts(6).with_max_backoff(Duration::from_secs(20)))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(10))
                    .read_timeout(Duration::from_secs(60))
                    .build(),
            )
            .http_client(http_client(&config)?);
        if let Some(profile) = &config.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = &config.region {
            loader = loader.region(Region::new(region.clone()));
        }
        let shared = loader.load().await;
        let mut builder = aws_sdk_s3::config::Builder::from(&shared)
            .force_path_style(config.path_style)
            // Servers before 2025 refuse the checksum trailers that newer SDKs send by default. The payload's SHA-256 is
            // part of the signature and is checked by all.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if shared.region().is_none() {
            builder = builder.region(Region::new("us-east-1"));
        }
        if let Some(endpoint) = &config.endpoint {
            builder = builder.endpoint_url(endpoint);
        }
        Ok(Self { client: Client::from_conf(builder.build()), config })
    }

    /// Whether every bucket is there and may be used.
    pub(super) async fn check(&self) -> Result<()> {
        let mut seen = Vec::new();
        for (bucket, _) in &self.config.places {
            if seen.contains(&bucket) {
                continue;
            }
            seen.push(bucket);
            // A person waits for this one: it is not tried for long.
            let soon = aws_sdk_s3::config::Builder::new().retry_config(RetryConfig::standard().with_max_attempts(2));
            let looked = self.client.head_bucket().bucket(bucket).customize().config_override(soon).send().await;
            if let Err(e) = looked {
                let place = self.config.endpoint.as_deref().unwrap_or("AWS");
                let what = format!("the bucket '{bucket}' at {place} cannot be used");
                let status = e.raw_response().map(|r| r.status().as_u16());
                return Err(match status {
                    Some(404) => Error::invalid(format!("there is no bucket '{bucket}' at {place}"))
                        .hint("'damctl init' makes it; or correct the setting 'store'"),
                    Some(403) => Error::invalid(what).hint(
                        "the credentials are wrong, have expired or do not allow it, or this machine's clock is wrong: \
                         the SDK's chain is used (AWS_ACCESS_KEY_ID, AWS_PROFILE, roles)",
                    ),
                    Some(301 | 400) => Error::invalid(what).because(e).hint(
                        "check 's3_region', 's3_path_style' and the endpoint; a 400 also comes with a token that has expired",
                    ),
                    _ => from_sdk(e, &what),
                });
            }
        }
        Ok(())
    }

    /// Makes the buckets that are missing; says which.
    pub(super) async fn make_buckets(&self) -> Result<Vec<String>> {
        let mut made = Vec::new();
        for (bucket, _) in &self.config.places {
            let looked = self.client.head_bucket().bucket(bucket).send().await;
            let is_missing = |e: &SdkError<_>| e.raw_response().is_some_and(|r| r.status().as_u16() == 404);
            if !made.contains(bucket) && looked.as_ref().err().is_some_and(is_missing) {
                let mut make = self.client.create_bucket().bucket(bucket);
                if self.config.endpoint.is_none()
                    && let Some(region) = self.client.config().region().filter(|r| r.as_ref() != "us-east-1")
                {
                    let place = CreateBucketConfiguration::builder();
                    let place = place.location_constraint(BucketLocationConstraint::from(region.as_ref()));
                    make = make.create_bucket_configuration(place.build());
                }
                make.send().await.map_err(|e| from_sdk(e, &format!("cannot make the bucket '{bucket}'")))?;
                made.push(bucket.clone());
            }
        }
        Ok(made)
    }

    fn place(&self, key: &Key) -> &(String, String) {
        let at = Area::ALL.iter().position(|a| *a == key.area()).unwrap_or(0);
        &self.config.places[at]
    }

    fn bucket(&self, key: &Key) -> &str {
        &self.place(key).0
    }

    /// The object's name in its bucket.
    pub(super) fn name(&self, key: &Key) -> String {
        match self.place(key).1.as_str() {
            "" => key.as_str().to_owned(),
            prefix => format!("{prefix}/{key}"),
        }
    }

    fn key(&self, area: Area, name: &str) -> Option<Key> {
        let (_, prefix) = &self.config.places[Area::ALL.iter().position(|a| *a == area)?];
        let name = if prefix.is_empty() { name } else { name.strip_prefix(prefix.as_str())?.strip_prefix('/')? };
        name.parse().ok()
    }

    pub(super) fn put(&self, key: &Key) -> PutObjectFluentBuilder {
        self.client
            .put_object()
            .bucket(self.bucket(key))
            .key(self.name(key))
            .set_cache_control(cache_control(key))
            .set_storage_class(self.storage_class(key))
            .set_server_side_encryption(self.encryption())
            .set_acl(self.acl(key))
    }

    fn storage_class(&self, key: &Key) -> Option<StorageClass> {
        self.config.storage_class.as_deref().filter(|_| key.area() == Area::Masters).map(StorageClass::from)
    }

    fn encryption(&self) -> Option<ServerSideEncryption> {
        self.config.encryption.as_deref().map(ServerSideEncryption::from)
    }

    fn acl(&self, key: &Key) -> Option<ObjectCannedAcl> {
        self.config.acl.as_deref().filter(|_| key.area() != Area::Masters).map(ObjectCannedAcl::from)
    }

    pub(super) fn get(&self, key: &Key) -> GetObjectFluentBuilder {
        self.client.get_object().bucket(self.bucket(key)).key(self.name(key))
    }

    pub(super) fn delete(&self, key: &Key) -> DeleteObjectsFluentBuilder {
        self.client.delete_objects().bucket(self.bucket(key))
    }

    pub(super) async fn head(&self, key: &Key) -> Result<Option<Head>> {
        match self.client.head_object().bucket(self.bucket(key)).key(self.name(key)).send().await {
            Ok(head) => Ok(Some(Head {
                bytes: head.content_length().and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
                etag: bare(head.e_tag()),
            })),
            Err(e) if e.raw_response().is_some_and(|r| r.status().as_u16() == 404) => Ok(None),
            Err(e) => Err(describe(e, key, "look at")),
        }
    }

    pub(super) async fn list(&self, prefix: &Key) -> Result<Vec<Key>> {
        let below = format!("{}/", self.name(prefix));
        let mut pages = self.client.list_objects_v2().bucket(self.bucket(prefix)).prefix(below).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| describe(e, prefix, "list"))?;
            let names = page.contents().iter().filter_map(|o| o.key());
            keys.extend(names.filter_map(|name| self.key(prefix.area(), name)));
        }
        keys.sort();
        Ok(keys)
    }

    pub(super) async fn begin_upload(&self, key: &Key) -> Result<String> {
        let begun = self
            .client
            .create_multipart_upload()
            .bucket(self.bucket(key))
            .key(self.name(key))
            .set_cache_control(cache_control(key))
            .set_storage_class(self.storage_class(key))
            .set_server_side_encryption(self.encryption())
            .set_acl(self.acl(key))
            .send()
            .await
            .map_err(|e| describe(e, key, "begin an upload to"))?;
        begun.upload_id().map(str::to_owned).ok_or_else(|| Error::internal("the store gave an upload no id"))
    }

    /// Uploads one part; gives its ETag.
    pub(super) async fn upload_part(&self, key: &Key, id: &str, number: u32, bytes: bytes::Bytes) -> Result<String> {
        let sent = self
            .client
            .upload_part()
            .bucket(self.bucket(key))
            .key(self.name(key))
            .upload_id(id)
            .part_number(number as i32)
            .body(bytes.into())
            .send()
            .await
            .map_err(|e| describe(e, key, "upload a part of"))?;
        Ok(bare(sent.e_tag()))
    }

    /// What the store has of an upload: number, ETag and size of each part. None when it does not know the upload.
    pub(super) async fn parts(&self, key: &Key, id: &str) -> Result<Option<Vec<(u32, String, u64)>>> {
        let mut pages =
            self.client.list_parts().bucket(self.bucket(key)).key(self.name(key)).upload_id(id).into_paginator().send();
        let mut parts = Vec::new();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(e) if is_unknown_upload(&e) => return Ok(None),
                Err(e) => return Err(describe(e, key, "ask for the parts of")),
            };
            parts.extend(
                page.parts().iter().map(|p| {
                    (p.part_number().unwrap_or(0) as u32, bare(p.e_tag()), p.size().unwrap_or(0).max(0) as u64)
                }),
            );
        }
        // Some servers do not sort.
        parts.sort();
        Ok(Some(parts))
    }

    pub(super) async fn complete_upload(&self, key: &Key, upload: &Upload) -> Result<()> {
        let part = |p: &Part| CompletedPart::builder().part_number(p.number as i32).e_tag(&p.etag).build();
        let parts = CompletedMultipartUpload::builder().set_parts(Some(upload.parts.iter().map(part).collect()));
        let done = self
            .client
            .complete_multipart_upload()
            .bucket(self.bucket(key))
            .key(self.name(key))
            .upload_id(&upload.id)
            .multipart_upload(parts.build())
            .send()
            .await;
        match done {
            Ok(_) => Ok(()),
            // The reply to an earlier try may have been lost: the caller looks at what is there.
            Err(e) if is_unknown_upload(&e) => Ok(()),
            Err(e) => Err(describe(e, key, "complete the upload to")),
        }
    }

    pub(super) async fn abort_upload(&self, key: &Key, id: &str) -> Result<()> {
        let aborted =
            self.client.abort_multipart_upload().bucket(self.bucket(key)).key(self.name(key)).upload_id(id).send();
        match aborted.await {
            Ok(_) => Ok(()),
            Err(e) if is_unknown_upload(&e) => Ok(()),
            Err(e) => Err(describe(e, key, "give up an upload to")),
        }
    }

    pub(super) async fn open_uploads(&self) -> Result<Vec<OpenUpload>> {
        let mut found = Vec::new();
        for (area, (bucket, prefix)) in Area::ALL.into_iter().zip(&self.config.places) {
            let below = match prefix.as_str() {
                "" => format!("{}/", area.as_str()),
                prefix => format!("{prefix}/{}/", area.as_str()),
            };
            let mut marks: (Option<String>, Option<String>) = (None, None);
            loop {
                let page = self
                    .client
                    .list_multipart_uploads()
                    .bucket(bucket)
                    .prefix(&below)
                    .set_key_marker(marks.0.take())
                    .set_upload_id_marker(marks.1.take())
                    .send()
                    .await
                    .map_err(|e| from_sdk(e, &format!("cannot list the open uploads in '{bucket}'")))?;
                for upload in page.uploads() {
                    let key = upload.key().and_then(|name| self.key(area, name));
                    let began = upload.initiated().and_then(|t| t.to_millis().ok()).unwrap_or(i64::MAX);
                    if let (Some(key), Some(id)) = (key, upload.upload_id()) {
                        found.push(OpenUpload { key, id: id.to_owned(), began });
                    }
                }
                if page.is_truncated() != Some(true) {
                    break;
                }
                marks = (page.next_key_marker().map(str::to_owned), page.next_upload_id_marker().map(str::to_owned));
            }
        }
        Ok(found)
    }
}

fn http_client(config: &S3Config) -> Result<aws_sdk_s3::config::SharedHttpClient> {
    let mut context = tls::TlsContext::builder();
    if let Some(path) = &config.ca_bundle {
        let pem = std::fs::read(path).doing(|| format!("cannot read the certificates in {}", path.display()))?;
        context = context.with_trust_store(tls::TrustStore::empty().with_pem_certificate(pem));
    }
    let context = context.build().map_err(|e| Error::invalid("cannot set up TLS").because(e))?;
    Ok(aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
        .tls_context(context)
        .build_https())
}

fn cache_control(key: &Key) -> Option<String> {
    (key.area() != Area::Masters).then(|| FOREVER.to_owned())
}

/// Whether an upload has been completed or given up. Ceph's gateway says that of the object: `NoSuchKey`.
fn is_unknown_upload<E: ProvideErrorMetadata>(e: &SdkError<E>) -> bool {
    matches!(e.code(), Some("NoSuchUpload" | "NoSuchKey"))
}

/// An ETag without its quotes.
fn bare(etag: Option<&str>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}

pub(super) fn describe<E>(e: SdkError<E>, key: &Key, doing: &str) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    from_sdk(e, &format!("cannot {doing} {key}"))
}

/// The error of a put; none when it says that the key is taken.
pub(super) fn describe_put(e: SdkError<PutObjectError>, key: &Key) -> Result<()> {
    match e.raw_response().map(|r| r.status().as_u16()) {
        Some(409 | 412) => Ok(()),
        _ => Err(describe(e, key, "write")),
    }
}

/// What an error of the SDK means. Credentials and rights are everybody's affair: the run pauses until a person acts.
fn from_sdk<E>(e: SdkError<E>, what: &str) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let status = e.raw_response().map(|r| r.status().as_u16());
    let code = e.code().unwrap_or_default().to_owned();
    let (kind, hint) = match code.as_str() {
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "AccessDenied" | "AllAccessDisabled" => {
            (Kind::Paused, Some("check the credentials and what they allow; nothing is lost: run again to go on"))
        }
        "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => {
            (Kind::Paused, Some("the credentials have expired: renew them, then run the same command again"))
        }
        "RequestTimeTooSkewed" => {
            (Kind::Paused, Some("this machine's clock and the store's differ: set it, then run again"))
        }
        "NoSuchBucket" => (Kind::Paused, Some("the bucket is gone: make it again, then run again to go on")),
        "QuotaExceeded" | "ServiceQuotaExceededException" | "InsufficientStorage" => {
            (Kind::Paused, Some("the store is full: make room, then run again to go on"))
        }
        "NoSuchKey" | "NotFound" => (Kind::NotFound, None),
        "PreconditionFailed" | "ConditionalRequestConflict" => (Kind::Conflict, None),
        // Damaged on its way: the next try sends it again.
        "BadDigest" | "XAmzContentSHA256Mismatch" | "InvalidDigest" => (Kind::Unavailable, None),
        _ => match status {
            Some(401 | 403) => (Kind::Paused, Some("check the credentials and what they allow; run again to go on")),
            Some(404) => (Kind::NotFound, None),
            Some(507) => (Kind::Paused, Some("the store is full: make room, then run again to go on")),
            Some(400..=499) => (Kind::Internal, None),
            _ if matches!(e, SdkError::ConstructionFailure(_)) => {
                (Kind::Invalid, Some("check the store's settings, and that there are credentials"))
            }
            _ => {
                (Kind::Unavailable, Some("the store does not answer as it should: check the endpoint and the network"))
            }
        },
    };
    let message = e.message().map(|m| format!(": {m}")).unwrap_or_default();
    let said = if code.is_empty() { what.to_owned() } else { format!("{what}: {code}{message}") };
    let error = Error::new(kind, said).because(e);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

impl Upload {
    /// The ETag that S3 gives the finished object: the MD5 of the parts' MD5s, and their number.
    pub(super) fn etag(&self) -> String {
        let mut bytes = Vec::with_capacity(self.parts.len() * 16);
        for part in &self.parts {
            bytes.extend(
                (0..part.etag.len() / 2).filter_map(|i| u8::from_str_radix(part.etag.get(2 * i..2 * i + 2)?, 16).ok()),
            );
        }
        format!("{}-{}", deposit::md5_hex(&bytes), self.parts.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fit_the_limits_whatever_the_size() {
        let config = S3Config::default();
        assert_eq!(config.part_bytes(1), 8 << 20);
        assert_eq!(config.part_bytes(50 << 30), 8 << 20);
        for size in [80 << 30, 1 << 40, 48 << 40] {
            let part = config.part_bytes(size);
            assert!(size.div_ceil(part) <= MOST_PARTS && part <= LARGEST_PART, "{size}: {part}");
        }
        assert_eq!(S3Config { part_bytes: 1, ..S3Config::default() }.part_bytes(1), SMALLEST_PART);
    }
}
