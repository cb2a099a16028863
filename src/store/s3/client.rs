//! The connection: where the buckets are, how they are reached, and what their errors mean.

use std::{path::PathBuf, time::Duration};

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        complete_multipart_upload::builders::CompleteMultipartUploadFluentBuilder,
        create_multipart_upload::builders::CreateMultipartUploadFluentBuilder,
        get_object::builders::GetObjectFluentBuilder, put_object::builders::PutObjectFluentBuilder,
        upload_part::builders::UploadPartFluentBuilder,
    },
    types::{
        BucketLocationConstraint, ChecksumMode, CompletedMultipartUpload, CompletedPart, CreateBucketConfiguration,
        Delete, ObjectIdentifier, ServerSideEncryption,
    },
};
use aws_smithy_http_client::tls;

use super::{
    area::{self, ObjectSettings},
    checksum::{self, Head, Sum},
    sign,
};
use crate::{
    digest::Digest,
    error::{Doing, Error, Kind, Result},
    model::{Area, Key},
    store::{Abilities, Checksum, Found, OpenUpload, Part, Upload},
};

/// S3's limits (Amazon S3 User Guide, "Multipart upload limits").
const MOST_PARTS: u64 = 10_000;
const SMALLEST_PART: u64 = 5 << 20;
const LARGEST_PART: u64 = 5 << 30;
/// Bytes that go out while an answer is waited for, at the least: with a minute, 140 kbit/s for each of those in flight.
const SLOWEST: u64 = 1 << 20;

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
    /// How long to wait for an answer before a request is sent again; longer for what is large. None: a minute.
    pub timeout: Option<Duration>,
    /// Parts, or small objects, on their way at a time; memory is bounded by it.
    pub in_flight: usize,
    /// What the objects of each area are asked to be, in the same order.
    pub objects: [ObjectSettings; 3],
    /// The storage class of what is archived: `GLACIER`, `DEEP_ARCHIVE`, `GLACIER_IR`, or what the server calls its own.
    pub archive_class: Option<String>,
    /// Whether the masters' bucket, where it is made, is one whose objects can be locked.
    pub can_lock: bool,
}

impl S3Config {
    /// An error for what no server would take.
    fn check(&self) -> Result<()> {
        Area::ALL.into_iter().zip(&self.objects).try_for_each(|(area, objects)| objects.check(area))
    }

    /// An error for a file that is larger than an object can be.
    pub(super) fn check_size(&self, size: u64) -> Result<()> {
        match size.div_ceil(self.part_bytes(size)) > MOST_PARTS {
            true => Err(Error::invalid(format!("{size} bytes are more than an object of S3 can have (48.8 TiB)"))),
            false => Ok(()),
        }
    }

    /// Bytes of each part of a file of this size: at least 8 MiB, and as few more as 10,000 parts allow, in MiB.
    pub fn part_bytes(&self, size: u64) -> u64 {
        let wanted = if self.part_bytes == 0 { 8 << 20 } else { self.part_bytes };
        let least = size.div_ceil(MOST_PARTS).next_multiple_of(1 << 20);
        wanted.max(least).clamp(SMALLEST_PART, LARGEST_PART)
    }

    /// How long to wait for the answer to a request of so many bytes. The SDK's time runs while they are sent, too: a
    /// slow line is no reason to begin again. One that stands still is found by the SDK's own watch on it.
    fn patience(&self, bytes: u64) -> TimeoutConfig {
        let wait = self.timeout.unwrap_or(Duration::from_secs(60));
        let wait = wait.mul_f64((bytes as f64 / SLOWEST as f64).max(1.0));
        TimeoutConfig::builder().connect_timeout(Duration::from_secs(10)).read_timeout(wait).build()
    }
}

/// How the end of an upload was answered.
pub(super) enum Completed {
    New,
    /// The key is taken, as far as the endpoint looks.
    Taken,
    /// What the store has of it makes no object: only another upload will.
    Refused(Error),
}

/// A part as the store lists it.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) number: u32,
    pub(super) etag: String,
    pub(super) bytes: u64,
    /// Its checksums, where the store tells them.
    pub(super) crc64: Option<u64>,
    sha256: Option<String>,
}

impl Listed {
    /// Takes over what the store says of a part that was sent to it. False: the part that it has is another one.
    pub(super) fn tell(&self, part: &mut Part) -> bool {
        let is_other = |of: &String| Sum::Sha256(part.digest).sha256().as_ref() != Some(of);
        let is_known = part.etag.is_empty() || part.etag == self.etag;
        if (self.number, self.bytes) != (part.number, part.bytes)
            || !is_known
            || self.sha256.as_ref().is_some_and(is_other)
        {
            return false;
        }
        part.etag.clone_from(&self.etag);
        part.crc64 = part.crc64.or(self.crc64);
        true
    }
}

/// A client and what it was made of.
#[derive(Clone)]
pub(super) struct Remote {
    pub(super) client: Client,
    pub(super) config: S3Config,
    pub(super) abilities: Abilities,
}

impl Remote {
    pub(super) async fn connect(config: S3Config) -> Result<Self> {
        config.check()?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            // Throttled, it slows down by itself.
            .retry_config(RetryConfig::adaptive().with_max_attempts(6).with_max_backoff(Duration::from_secs(20)))
            .timeout_config(config.patience(0))
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
        Ok(Self { client: Client::from_conf(builder.build()), config, abilities: Abilities::default() })
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
                    None if is_without_credentials(&e) => Error::invalid(what).because(e).hint(NO_CREDENTIALS),
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
                let can_lock = self.config.can_lock && *bucket == self.config.places[0].0;
                let mut make = self.client.create_bucket().bucket(bucket);
                make = make.set_object_lock_enabled_for_bucket(can_lock.then_some(true));
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

    /// The endpoint and the masters' bucket.
    pub(super) fn place_of_masters(&self) -> String {
        let region = self.client.config().region().map_or("", |r| r.as_ref());
        let endpoint = self.config.endpoint.clone().unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        format!("{}/{}", endpoint.trim_end_matches('/'), self.config.places[0].0)
    }

    fn place(&self, key: &Key) -> &(String, String) {
        &self.config.places[at(key.area())]
    }

    pub(super) fn objects(&self, key: &Key) -> &ObjectSettings {
        &self.config.objects[at(key.area())]
    }

    pub(super) fn bucket(&self, key: &Key) -> &str {
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

    /// The checksum of these bytes, whose SHA-256 is known, that the endpoint verifies.
    pub(super) fn sum(&self, bytes: &[u8], digest: Digest) -> Option<Sum> {
        self.abilities.checksum.map(|kind| Sum::of(kind, bytes, Some(digest)))
    }

    pub(super) fn put(&self, key: &Key, bytes: bytes::Bytes, sum: Option<Sum>) -> PutObjectFluentBuilder {
        let objects = self.objects(key);
        self.client
            .put_object()
            .bucket(self.bucket(key))
            .key(self.name(key))
            .set_checksum_algorithm(sum.and_then(|s| s.algorithm()))
            .set_checksum_crc64_nvme(sum.and_then(|s| s.crc64()))
            .set_checksum_sha256(sum.and_then(|s| s.sha256()))
            .set_content_md5(sum.and_then(|s| s.md5()))
            .body(bytes.into())
            .set_content_type(area::media_type(key).map(str::to_owned))
            .set_cache_control(objects.cache_control.clone())
            .set_storage_class(objects.storage_class())
            .set_server_side_encryption(objects.encryption())
            .set_ssekms_key_id(objects.kms_key())
            .set_acl(objects.acl())
    }

    pub(super) fn get(&self, key: &Key) -> GetObjectFluentBuilder {
        self.client.get_object().bucket(self.bucket(key)).key(self.name(key))
    }

    pub(super) async fn head(&self, key: &Key) -> Result<Option<Head>> {
        self.head_with(key, self.abilities.checksum.is_some_and(|kind| checksum::algorithm(kind).is_some())).await
    }

    /// With the checksum, where there is one.
    pub(super) async fn head_with(&self, key: &Key, checksum: bool) -> Result<Option<Head>> {
        let told = checksum.then_some(ChecksumMode::Enabled);
        let head = self.client.head_object().bucket(self.bucket(key)).key(self.name(key)).set_checksum_mode(told);
        match head.send().await {
            Ok(head) => Ok(Some(Head {
                bytes: head.content_length().and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
                etag: bare(head.e_tag()),
                is_sealed: head.server_side_encryption().is_some_and(|e| *e != ServerSideEncryption::Aes256),
                crc64: head.checksum_crc64_nvme().map(str::to_owned),
                sha256: head.checksum_sha256().map(str::to_owned),
                class: head.storage_class().map(|c| c.as_str().to_owned()),
                restore: head.restore().map(str::to_owned),
                is_tiered_away: head.archive_status().is_some(),
            })),
            Err(e) if e.raw_response().is_some_and(|r| r.status().as_u16() == 404) => Ok(None),
            Err(e) => Err(describe(e, key, "look at")),
        }
    }

    /// Removes one object.
    pub(super) async fn remove_one(&self, key: &Key) -> Result<()> {
        let removed = self.client.delete_object().bucket(self.bucket(key)).key(self.name(key)).send().await;
        removed.map(drop).map_err(|e| describe(e, key, "remove"))
    }

    pub(super) async fn remove(&self, prefix: &Key) -> Result<()> {
        for keys in self.list(prefix).await?.chunks(1000) {
            let identify = |key: &Key| ObjectIdentifier::builder().key(self.name(key)).build();
            let objects = keys.iter().map(identify).collect::<Result<Vec<_>, _>>();
            let delete = objects.and_then(|o| Delete::builder().set_objects(Some(o)).quiet(true).build());
            let delete = delete.map_err(|e| Error::internal("cannot ask for a removal").because(e))?;
            let removed = self.client.delete_objects().bucket(self.bucket(prefix)).delete(delete).send().await;
            let removed = removed.map_err(|e| describe(e, prefix, "remove"))?;
            if let Some(e) = removed.errors().first() {
                let why = e.message().or(e.code()).unwrap_or("no reason given");
                return Err(Error::unavailable(format!("the store cannot remove {prefix}: {why}")));
            }
        }
        Ok(())
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

    /// Objects of an area, as many as one answer holds, and where the next one begins.
    pub(super) async fn page(&self, area: Area, next: Option<String>) -> Result<(Vec<Found>, Option<String>)> {
        let (bucket, below) = self.below(area);
        let page = self.client.list_objects_v2().bucket(bucket).prefix(below).set_continuation_token(next).send().await;
        let page = page.map_err(|e| from_sdk(e, &format!("cannot list what is in '{bucket}'")))?;
        let found = page.contents().iter().filter_map(|o| {
            Some(Found {
                key: self.key(area, o.key()?)?,
                bytes: o.size().and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
                written: o.last_modified().and_then(|t| t.to_millis().ok()),
            })
        });
        let more = page.next_continuation_token().filter(|_| page.is_truncated() == Some(true));
        Ok((found.collect(), more.map(str::to_owned)))
    }

    /// The bucket of an area, and how its objects' names begin there.
    fn below(&self, area: Area) -> (&str, String) {
        let (bucket, prefix) = &self.config.places[at(area)];
        let below = match prefix.as_str() {
            "" => format!("{}/", area.as_str()),
            prefix => format!("{prefix}/{}/", area.as_str()),
        };
        (bucket, below)
    }

    pub(super) fn beginning(&self, key: &Key, checksum: Option<Checksum>) -> CreateMultipartUploadFluentBuilder {
        let objects = self.objects(key);
        self.client
            .create_multipart_upload()
            .bucket(self.bucket(key))
            .key(self.name(key))
            .set_content_type(area::media_type(key).map(str::to_owned))
            .set_cache_control(objects.cache_control.clone())
            .set_storage_class(objects.storage_class())
            .set_server_side_encryption(objects.encryption())
            .set_ssekms_key_id(objects.kms_key())
            .set_acl(objects.acl())
            .set_checksum_algorithm(checksum.and_then(checksum::algorithm))
            .set_checksum_type(checksum.and_then(checksum::of_whole))
    }

    /// Begins an upload in parts that has this checksum; gives its id.
    pub(super) async fn begin_upload(&self, key: &Key, checksum: Option<Checksum>) -> Result<String> {
        let begun = self.beginning(key, checksum).send().await;
        let begun = begun.map_err(|e| describe(e, key, "begin an upload to"))?;
        begun.upload_id().map(str::to_owned).ok_or_else(|| Error::internal("the store gave an upload no id"))
    }

    pub(super) fn part(&self, key: &Key, id: &str, number: u32, sum: Option<Sum>) -> UploadPartFluentBuilder {
        self.client
            .upload_part()
            .bucket(self.bucket(key))
            .key(self.name(key))
            .upload_id(id)
            .part_number(number as i32)
            .set_checksum_algorithm(sum.and_then(|s| s.algorithm()))
            .set_checksum_crc64_nvme(sum.and_then(|s| s.crc64()))
            .set_checksum_sha256(sum.and_then(|s| s.sha256()))
            .set_content_md5(sum.and_then(|s| s.md5()))
    }

    /// Uploads one part, whose SHA-256 is known.
    pub(super) async fn upload_part(
        &self,
        key: &Key,
        (id, checksum): (&str, Option<Checksum>),
        number: u32,
        digest: Digest,
        bytes: bytes::Bytes,
    ) -> Result<Part> {
        let sum = checksum.map(|kind| Sum::of(kind, &bytes, Some(digest)));
        let length = bytes.len() as u64;
        let patient = aws_sdk_s3::config::Builder::new().timeout_config(self.config.patience(length));
        let part = self.part(key, id, number, sum).body(bytes.into());
        let sent = part.customize().config_override(patient).interceptor(sign::Body(digest)).send().await;
        let sent = sent.map_err(|e| describe(e, key, "upload a part of"))?;
        let crc64 = if let Some(Sum::Crc64(crc)) = sum { Some(crc) } else { None };
        Ok(Part { number, etag: bare(sent.e_tag()), bytes: length, digest, crc64 })
    }

    /// What the store has of an upload, in the order of the numbers. None when it does not know the upload.
    pub(super) async fn parts(&self, key: &Key, id: &str) -> Result<Option<Vec<Listed>>> {
        let mut pages =
            self.client.list_parts().bucket(self.bucket(key)).key(self.name(key)).upload_id(id).into_paginator().send();
        let mut parts = Vec::new();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(e) if is_unknown_upload(&e) => return Ok(None),
                Err(e) => return Err(describe(e, key, "ask for the parts of")),
            };
            parts.extend(page.parts().iter().map(|p| Listed {
                number: p.part_number().unwrap_or(0) as u32,
                etag: bare(p.e_tag()),
                bytes: p.size().unwrap_or(0).max(0) as u64,
                crc64: p.checksum_crc64_nvme().and_then(checksum::crc64_of),
                sha256: p.checksum_sha256().map(str::to_owned),
            }));
        }
        // Some servers do not sort.
        parts.sort_by_key(|p| p.number);
        Ok(Some(parts))
    }

    fn completing(&self, key: &Key, id: &str, parts: Vec<CompletedPart>) -> CompleteMultipartUploadFluentBuilder {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.client.complete_multipart_upload().bucket(self.bucket(key)).key(self.name(key));
        complete.upload_id(id).multipart_upload(parts)
    }

    pub(super) fn completion(&self, key: &Key, upload: &Upload) -> CompleteMultipartUploadFluentBuilder {
        let is_composite = upload.checksum == Some(Checksum::Sha256);
        let part = |p: &Part| {
            let sum = Some(Sum::Sha256(p.digest)).filter(|_| is_composite).and_then(|s| s.sha256());
            CompletedPart::builder().part_number(p.number as i32).e_tag(&p.etag).set_checksum_sha256(sum).build()
        };
        let whole = upload.crc64().filter(|_| upload.checksum == Some(Checksum::Crc64Nvme)).map(Sum::Crc64);
        self.completing(key, &upload.id, upload.parts.iter().map(part).collect())
            .set_checksum_type(upload.checksum.and_then(checksum::of_whole))
            .set_checksum_crc64_nvme(whole.and_then(|s| s.crc64()))
    }

    /// Makes the object of its parts.
    pub(super) async fn complete_upload(&self, key: &Key, upload: &Upload) -> Result<Completed> {
        self.complete(key, self.completion(key, upload)).await
    }

    /// The same with what the store lists of an upload.
    pub(super) async fn complete_listed(&self, key: &Key, id: &str, parts: &[Listed]) -> Result<Completed> {
        let part = |p: &Listed| CompletedPart::builder().part_number(p.number as i32).e_tag(&p.etag).build();
        self.complete(key, self.completing(key, id, parts.iter().map(part).collect())).await
    }

    async fn complete(&self, key: &Key, completion: CompleteMultipartUploadFluentBuilder) -> Result<Completed> {
        let exclusive = self.abilities.exclusive_complete.then(|| "*".to_owned());
        match completion.set_if_none_match(exclusive).send().await {
            Ok(_) => Ok(Completed::New),
            // The reply to an earlier try may have been lost: the caller looks at what is there.
            Err(e) if is_unknown_upload(&e) => Ok(Completed::New),
            Err(e) if is_taken(&e) => Ok(Completed::Taken),
            Err(e) if matches!(e.code(), Some("InvalidPart" | "InvalidPartOrder" | "EntityTooSmall" | "BadDigest")) => {
                let what = "the parts that it has";
                let e =
                    Error::unavailable(format!("the store refuses {what} of {key}: {}", e.code().unwrap_or_default()));
                Ok(Completed::Refused(e.hint("the upload was given up, and starts over when it is tried again")))
            }
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
        for area in Area::ALL {
            let (bucket, below) = self.below(area);
            found.append(&mut self.uploads_below(area, bucket, &below).await?);
        }
        Ok(found)
    }

    /// Gives up all uploads to this key but one: of which the answer to their beginning was lost, or whoever began them
    /// died before he could note it.
    pub(super) async fn abort_others(&self, key: &Key, id: &str) -> Result<()> {
        for other in self.uploads_below(key.area(), self.bucket(key), &self.name(key)).await? {
            if other.key == *key && other.id != id {
                self.abort_upload(key, &other.id).await?;
            }
        }
        Ok(())
    }

    async fn uploads_below(&self, area: Area, bucket: &str, below: &str) -> Result<Vec<OpenUpload>> {
        let mut found = Vec::new();
        let mut marks: (Option<String>, Option<String>) = (None, None);
        loop {
            let page = self
                .client
                .list_multipart_uploads()
                .bucket(bucket)
                .prefix(below)
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
                return Ok(found);
            }
            marks = (page.next_key_marker().map(str::to_owned), page.next_upload_id_marker().map(str::to_owned));
        }
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

/// The place of an area among all.
fn at(area: Area) -> usize {
    Area::ALL.iter().position(|a| *a == area).unwrap_or(0)
}

const NO_CREDENTIALS: &str = "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, 's3_profile', or \
                              give this machine a role";

/// Whether a request was not sent for want of credentials.
fn is_without_credentials(e: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(e), |e| e.source()).any(|e| e.is::<CredentialsError>())
}

/// Whether an upload has been completed or given up. Ceph's gateway says that of the object: `NoSuchKey`.
fn is_unknown_upload<E: ProvideErrorMetadata>(e: &SdkError<E>) -> bool {
    matches!(e.code(), Some("NoSuchUpload" | "NoSuchKey"))
}

/// An ETag without its quotes.
pub(super) fn bare(etag: Option<&str>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}

pub(super) fn describe<E>(e: SdkError<E>, key: &Key, doing: &str) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    from_sdk(e, &format!("cannot {doing} {key}"))
}

/// Whether it says that the key is taken.
pub(super) fn is_taken<E>(e: &SdkError<E>) -> bool {
    e.raw_response().is_some_and(|r| matches!(r.status().as_u16(), 409 | 412))
}

/// What an error of the SDK means. Credentials and rights are everybody's affair: the run pauses until a person acts.
pub(super) fn from_sdk<E>(e: SdkError<E>, what: &str) -> Error
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
        "InvalidObjectState" => {
            (Kind::Archived, Some("'damctl restore ASSET' brings it back; what waits for it goes on after that"))
        }
        "NoSuchKey" | "NotFound" => (Kind::NotFound, None),
        "PreconditionFailed" | "ConditionalRequestConflict" => (Kind::Conflict, None),
        // Damaged on its way: the next try sends it again.
        "NoSuchUpload" => (Kind::Unavailable, Some("the upload was given up meanwhile: the next try begins it again")),
        "BadDigest" | "XAmzContentSHA256Mismatch" | "InvalidDigest" => (Kind::Unavailable, None),
        _ => match status {
            Some(401 | 403) => (Kind::Paused, Some("check the credentials and what they allow; run again to go on")),
            Some(404) => (Kind::NotFound, None),
            Some(507) => (Kind::Paused, Some("the store is full: make room, then run again to go on")),
            Some(502..=504) => (
                Kind::Paused,
                Some("the store is overloaded, or away behind its gateway: run the same command again later"),
            ),
            Some(400..=499) => (Kind::Internal, None),
            _ if matches!(e, SdkError::ConstructionFailure(_)) => {
                (Kind::Invalid, Some("check the store's settings, and that there are credentials"))
            }
            None if is_without_credentials(&e) => (Kind::Paused, Some(NO_CREDENTIALS)),
            // Nobody has answered, for all the SDK's patience: no other item will fare better.
            None => (
                Kind::Paused,
                Some("the store does not answer: check the endpoint and the network, then run the same command again"),
            ),
            _ => (Kind::Unavailable, Some("the store does not answer as it should: look at its own log")),
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
