//! Storage classes: an object copied onto itself into a colder one and back, and asked for where a class cannot be read
//! at once (Amazon S3 User Guide, "Restoring an archived object"; API Reference, `RestoreObject` and `x-amz-restore`).

use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    types::{
        CompletedMultipartUpload, CompletedPart, GlacierJobParameters, MetadataDirective, RestoreRequest, StorageClass,
        Tier as Speed,
    },
};

use super::{
    checksum::Head,
    client::{Remote, bare, describe, from_sdk},
};
use crate::{
    error::{Error, Kind, Result},
    model::Key,
    store::{Availability, Committed, Original, Recall, Recalled, Tier, Upload},
};

/// The largest object that one request copies ("Copying objects").
const LARGEST_COPY: u64 = 5 << 30;
/// Parts of a copy that need not be those of the upload.
const PART: u64 = 512 << 20;
/// Classes that cannot be read before they were asked for.
const COLD: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

impl Head {
    /// The storage class; none is said of the usual one.
    fn class(&self) -> &str {
        self.class.as_deref().unwrap_or("STANDARD")
    }

    /// Whether it can be read, and until when.
    fn availability(&self) -> Availability {
        if !COLD.contains(&self.class()) && !self.is_tiered_away {
            return Availability::Online { until: None };
        }
        let Some(said) = &self.restore else { return Availability::Offline };
        if said.contains("ongoing-request=\"true\"") {
            return Availability::Recalling;
        }
        let date = said.split_once("expiry-date=\"").and_then(|(_, rest)| rest.split('"').next());
        // The day of the week says nothing that the date does not.
        let date = date.map(|d| d.split_once(", ").map_or(d, |(_, date)| date));
        let until = date.and_then(|d| jiff::fmt::rfc2822::parse(d).ok()).map(|z| z.timestamp().as_millisecond());
        Availability::Online { until }
    }
}

impl Remote {
    pub(super) async fn available(&self, key: &Key) -> Result<Option<Availability>> {
        Ok(self.head(key).await?.map(|head| head.availability()))
    }

    /// Puts an object into a storage class, by a copy onto itself, and lets go of the earlier version that a bucket
    /// with versions keeps: it has the same bytes.
    pub(super) async fn reclass(&self, key: &Key, class: &str, made_of: Option<&Upload>) -> Result<()> {
        let lost = || Error::not_found(format!("the store has lost {key}"));
        let before = self.head(key).await?.ok_or_else(lost)?;
        if before.class() != class {
            if before.availability() == Availability::Offline {
                return Err(Error::archived(key));
            }
            // An object of parts keeps its ETag and its checksum if it is copied in the same ones.
            let upload =
                made_of.filter(|u| u.bytes() == before.bytes && before.etag.ends_with(&format!("-{}", u.parts.len())));
            match (upload, before.bytes) {
                (None, ..=LARGEST_COPY) => self.copy_whole(key, &before, class).await?,
                (upload, _) => self.copy_in_parts(key, &before, class, upload).await?,
            }
            crate::crash::point("archive.after-copy");
            let after = self.head(key).await?.ok_or_else(lost)?;
            if after.bytes != before.bytes {
                let message = format!("the copy of {key} has {} bytes, not {}", after.bytes, before.bytes);
                return Err(Error::new(Kind::Corrupt, message).hint("a bucket with versions has the earlier one still"));
            }
            if after.class() != class {
                return Err(Error::unsupported(format!(
                    "the store took {key} for '{class}', and keeps it as '{}'",
                    after.class()
                ))
                .hint("ask whoever runs the store which storage classes it has"));
            }
        }
        self.drop_earlier(key, class).await
    }

    fn source(&self, key: &Key) -> String {
        let name = self.name(key);
        let safe = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
        let name: String =
            name.bytes().map(|b| if safe(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect();
        format!("{}/{name}", self.bucket(key))
    }

    async fn copy_whole(&self, key: &Key, head: &Head, class: &str) -> Result<()> {
        let objects = self.objects(key);
        let copy = self
            .client
            .copy_object()
            .bucket(self.bucket(key))
            .key(self.name(key))
            .copy_source(self.source(key))
            .copy_source_if_match(format!("\"{}\"", head.etag))
            .metadata_directive(MetadataDirective::Copy)
            .storage_class(StorageClass::from(class))
            // A copy has the bucket's own encryption, if none is said.
            .set_server_side_encryption(objects.encryption())
            .set_ssekms_key_id(objects.kms_key())
            .set_acl(objects.acl());
        copy.send().await.map(drop).map_err(|e| describe(e, key, "change the storage class of"))
    }

    /// Copies an object to another key, which is free, as it is to be there: with that area's settings and this media type.
    pub(super) async fn duplicate(&self, from: &Key, to: &Key, of: &Original<'_>) -> Result<Committed> {
        if self.head(to).await?.is_some() {
            return Ok(Committed::Present);
        }
        let before = self.head(from).await?.ok_or_else(|| Error::not_found(format!("the store has lost {from}")))?;
        if before.bytes != of.bytes {
            return Err(Error::corrupt(format!("{from} has {} bytes, not {}", before.bytes, of.bytes)));
        }
        if before.availability() == Availability::Offline {
            return Err(Error::archived(from));
        }
        if of.bytes <= LARGEST_COPY {
            let objects = self.objects(to);
            let copy = self
                .client
                .copy_object()
                .bucket(self.bucket(to))
                .key(self.name(to))
                .copy_source(self.source(from))
                .copy_source_if_match(format!("\"{}\"", before.etag))
                .metadata_directive(MetadataDirective::Replace)
                .content_type(of.mime)
                .set_cache_control(objects.cache_control.clone())
                .set_storage_class(objects.storage_class())
                .set_server_side_encryption(objects.encryption())
                .set_ssekms_key_id(objects.kms_key())
                .set_acl(objects.acl());
            copy.send().await.map_err(|e| describe(e, to, "copy"))?;
        } else {
            let begun = self.beginning(to, None).content_type(of.mime).send().await;
            let begun = begun.map_err(|e| describe(e, to, "begin a copy of"))?;
            let id = begun.upload_id().unwrap_or_default().to_owned();
            if let Err(e) = self.parts_onto((from, to), &before, &id, None).await {
                self.abort_upload(to, &id).await.ok();
                return Err(e);
            }
        }
        match self.head(to).await? {
            Some(after) if after.bytes == of.bytes => Ok(Committed::New),
            _ => Err(Error::unavailable(format!("the server's copy of {from} is not there whole"))),
        }
    }

    async fn copy_in_parts(&self, key: &Key, head: &Head, class: &str, upload: Option<&Upload>) -> Result<()> {
        let begun =
            self.beginning(key, upload.and_then(|u| u.checksum)).storage_class(StorageClass::from(class)).send();
        let begun = begun.await.map_err(|e| describe(e, key, "begin a copy of"))?;
        let id = begun.upload_id().unwrap_or_default().to_owned();
        match self.parts_onto((key, key), head, &id, upload).await {
            Ok(()) => Ok(()),
            Err(e) => {
                self.abort_upload(key, &id).await.ok();
                Err(e)
            }
        }
    }

    async fn parts_onto(
        &self,
        (from_key, key): (&Key, &Key),
        head: &Head,
        id: &str,
        upload: Option<&Upload>,
    ) -> Result<()> {
        let part_bytes = upload.map_or(PART.max(head.bytes.div_ceil(10_000)), |u| u.part_bytes);
        let (mut parts, mut again) = (Vec::new(), upload.map(|u| Upload { id: id.to_owned(), ..u.clone() }));
        let (mut from, mut number) = (0, 1);
        while from < head.bytes {
            let end = (from + part_bytes).min(head.bytes);
            let copied = self
                .client
                .upload_part_copy()
                .bucket(self.bucket(key))
                .key(self.name(key))
                .upload_id(id)
                .part_number(number)
                .copy_source(self.source(from_key))
                .copy_source_if_match(format!("\"{}\"", head.etag))
                .copy_source_range(format!("bytes={from}-{}", end - 1))
                .customize()
                // Ceph's gateway wants to be told that there is no body.
                .mutate_request(|request| _ = request.headers_mut().insert("content-length", "0"))
                .send()
                .await
                .map_err(|e| describe(e, key, "copy a part of"))?;
            let etag = bare(copied.copy_part_result().and_then(|made| made.e_tag()));
            if let Some(part) = again.as_mut().and_then(|u| u.parts.get_mut(number as usize - 1)) {
                part.etag.clone_from(&etag);
            }
            parts.push(CompletedPart::builder().part_number(number).e_tag(etag).build());
            (from, number) = (end, number + 1);
        }
        let done = match &again {
            // With the checksum that it had.
            Some(upload) => self.completion(key, upload),
            None => {
                let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
                let done = self.client.complete_multipart_upload().bucket(self.bucket(key)).key(self.name(key));
                done.upload_id(id).multipart_upload(parts)
            }
        };
        done.send().await.map(drop).map_err(|e| describe(e, key, "end the copy of"))
    }

    /// Removes earlier versions of an object that have its bytes and another class. Who may not, or what is locked, stays:
    /// it costs room and loses nothing.
    async fn drop_earlier(&self, key: &Key, class: &str) -> Result<()> {
        let Some(head) = self.head(key).await? else { return Ok(()) };
        let name = self.name(key);
        let versioning = self.client.get_bucket_versioning().bucket(self.bucket(key)).send().await;
        if !versioning.is_ok_and(|v| v.status().is_some()) {
            return Ok(());
        }
        let listed = self.client.list_object_versions().bucket(self.bucket(key)).prefix(&name).send().await;
        let listed = listed.map_err(|e| from_sdk(e, &format!("cannot list the versions of {key}")))?;
        for version in listed.versions().iter().filter(|v| v.key() == Some(&name) && v.is_latest() == Some(false)) {
            let has_class = version.storage_class().map_or("STANDARD", |c| c.as_str()) == class;
            let Some(id) = version.version_id().filter(|_| !has_class) else { continue };
            let is_same = version.size() == i64::try_from(head.bytes).ok() && bare(version.e_tag()) == head.etag;
            if is_same {
                self.client.delete_object().bucket(self.bucket(key)).key(&name).version_id(id).send().await.ok();
            }
        }
        Ok(())
    }

    /// Asks for an object of a class that cannot be read at once.
    pub(super) async fn recall(&self, key: &Key, how: &Recall) -> Result<Recalled> {
        let lost = || Error::not_found(format!("the store has lost {key}"));
        let head = self.head(key).await?.ok_or_else(lost)?;
        match head.availability() {
            Availability::Recalling => return Ok(Recalled::Asked),
            Availability::Online { until: None } => return Ok(Recalled::Online { until: None }),
            // Asked again, a copy stays longer.
            Availability::Online { .. } | Availability::Offline => {}
        }
        let speed = match how.tier {
            Tier::Standard => Speed::Standard,
            Tier::Bulk => Speed::Bulk,
            Tier::Expedited => Speed::Expedited,
        };
        let job = GlacierJobParameters::builder().tier(speed).build();
        let job = job.map_err(|e| Error::internal("cannot ask for an object").because(e))?;
        let request = RestoreRequest::builder().days(how.days).glacier_job_parameters(job).build();
        let ask = self.client.restore_object().bucket(self.bucket(key)).key(self.name(key)).restore_request(request);
        match ask.send().await {
            Ok(_) => {}
            Err(e) if e.code() == Some("RestoreAlreadyInProgress") => return Ok(Recalled::Asked),
            Err(e) if e.code() == Some("GlacierExpeditedRetrievalNotAvailable") => {
                return Err(Error::unavailable(format!("the store has no room for {key} to come in minutes"))
                    .hint("--tier standard takes hours; or try again later"));
            }
            // It can be read meanwhile, or somebody has changed its class.
            Err(e) if e.code() == Some("InvalidObjectState") => {}
            Err(e) => return Err(describe(e, key, "ask for")),
        }
        Ok(match self.available(key).await?.ok_or_else(lost)? {
            Availability::Online { until } => Recalled::Online { until },
            Availability::Recalling | Availability::Offline => Recalled::Asked,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(class: &str, restore: Option<&str>) -> Head {
        Head {
            bytes: 1,
            etag: String::new(),
            is_sealed: false,
            crc64: None,
            sha256: None,
            class: Some(class.to_owned()),
            restore: restore.map(str::to_owned),
            is_tiered_away: false,
        }
    }

    #[test]
    fn what_the_header_says_is_what_can_be_read() {
        let expires = "ongoing-request=\"false\", expiry-date=\"Fri, 21 Dec 2012 00:00:00 GMT\"";
        let until = 1_356_048_000_000;
        let of = |class, said| head(class, said).availability();
        assert_eq!(of("GLACIER", None), Availability::Offline);
        assert_eq!(of("DEEP_ARCHIVE", Some("ongoing-request=\"true\"")), Availability::Recalling);
        assert_eq!(of("GLACIER", Some(expires)), Availability::Online { until: Some(until) });
        for class in ["GLACIER_IR", "STANDARD_IA", "COLD", "STANDARD"] {
            assert_eq!(of(class, None), Availability::Online { until: None }, "{class}");
        }
    }
}
