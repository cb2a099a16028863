//! Versioning, lifecycle and locks of the buckets: what they are, what they are to be, and the step from one to the other.
//! Rules of others stay as they are; ours are told by their names.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketVersioningStatus, DefaultRetention,
    ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration,
    ObjectLockConfiguration, ObjectLockEnabled, ObjectLockRetentionMode, ObjectLockRule, VersioningConfiguration,
};

use super::{
    checksum,
    client::{Remote, from_sdk},
};
use crate::{
    error::{Error, Kind, Result},
    model::Area,
    store::{Difference, Lock, Wish},
};

/// How the names of our rules begin.
const OURS: &str = "damctl-";

/// A rule of ours.
#[derive(Clone, Debug, PartialEq)]
struct Rule {
    id: String,
    prefix: String,
    abort_days: Option<i32>,
    noncurrent_days: Option<i32>,
    expire_days: Option<i32>,
}

impl Rule {
    fn in_words(&self) -> String {
        let abort = self.abort_days.map(|n| format!("unfinished uploads are given up after {n} days"));
        let noncurrent = self.noncurrent_days.map(|n| format!("earlier versions go after {n} days"));
        let expire = self.expire_days.map(|n| format!("what lies there goes after {n} days"));
        let does: Vec<String> = abort.into_iter().chain(noncurrent).chain(expire).collect();
        format!("below {}: {}", self.prefix, does.join(", "))
    }

    fn of(rule: &LifecycleRule) -> Option<Self> {
        let id = rule.id()?.to_owned();
        #[allow(deprecated, reason = "older servers answer with it")]
        let prefix = rule.filter().and_then(|f| f.prefix()).or(rule.prefix()).unwrap_or_default().to_owned();
        (rule.status() == &ExpirationStatus::Enabled).then(|| Self {
            id,
            prefix,
            abort_days: rule.abort_incomplete_multipart_upload().and_then(|a| a.days_after_initiation()),
            noncurrent_days: rule.noncurrent_version_expiration().and_then(|n| n.noncurrent_days()),
            expire_days: rule.expiration().and_then(|e| e.days()),
        })
    }

    fn build(&self) -> Result<LifecycleRule> {
        let abort = |n| AbortIncompleteMultipartUpload::builder().days_after_initiation(n).build();
        let noncurrent = |n| NoncurrentVersionExpiration::builder().noncurrent_days(n).build();
        let expire = |n| LifecycleExpiration::builder().days(n).build();
        LifecycleRule::builder()
            .id(&self.id)
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix(&self.prefix).build())
            .set_abort_incomplete_multipart_upload(self.abort_days.map(abort))
            .set_noncurrent_version_expiration(self.noncurrent_days.map(noncurrent))
            .set_expiration(self.expire_days.map(expire))
            .build()
            .map_err(|e| Error::internal("cannot make a rule of a lifecycle").because(e))
    }
}

/// What a bucket is.
struct Is {
    versioned: bool,
    rules: Vec<LifecycleRule>,
    lock: Option<Lock>,
}

/// Whether a rule is one that is wanted, or one that was, of a folder of the same archive's delivery.
fn is_ours(id: &str, wanted: &[Rule]) -> bool {
    let delivery = format!("{OURS}{}-", Area::Delivery.as_str());
    let of = wanted.iter().filter_map(|w| w.id.strip_prefix(&delivery)?.rsplit('-').next());
    wanted.iter().any(|w| w.id == id)
        || id.strip_prefix(&delivery).is_some_and(|rest| of.into_iter().any(|of| rest.rsplit('-').next() == Some(of)))
}

fn words(lock: Option<&Lock>) -> String {
    lock.map_or("none".to_owned(), |l| format!("{} {}d", if l.is_strict { "compliance" } else { "governance" }, l.days))
}

impl Remote {
    /// Buckets, each with the rules that are wanted of it.
    fn rules(&self, wish: &Wish) -> Vec<(String, Vec<Rule>)> {
        let masters = &self.config.places[0].0;
        let mut all: Vec<(String, Vec<Rule>)> = Vec::new();
        for (area, (bucket, prefix)) in Area::ALL.into_iter().zip(&self.config.places) {
            let below = match prefix.as_str() {
                "" => format!("{}/", area.as_str()),
                prefix => format!("{prefix}/{}/", area.as_str()),
            };
            // Two archives may share a bucket.
            let of = crate::digest::Digest::of(&below).short();
            let is_versioned = bucket == masters && area != Area::Masters;
            let mut of_area = vec![Rule {
                id: format!("{OURS}{}-{}", area.as_str(), &of[..8]),
                prefix: below.clone(),
                abort_days: Some(wish.abort_days),
                noncurrent_days: is_versioned.then_some(wish.noncurrent_days),
                expire_days: None,
            }];
            // Nothing of the catalog lies in delivery, so nobody has to hear of what goes there.
            let folders = wish.delivery.iter().filter(|_| area == Area::Delivery);
            of_area.extend(folders.map(|expiry| Rule {
                id: format!("{OURS}{}-{}-{}", area.as_str(), expiry.folder, &of[..8]),
                prefix: format!("{below}{}/", expiry.folder),
                abort_days: None,
                noncurrent_days: None,
                expire_days: Some(expiry.days),
            }));
            match all.iter_mut().find(|(known, _)| known == bucket) {
                Some((_, rules)) => rules.append(&mut of_area),
                None => all.push((bucket.clone(), of_area)),
            }
        }
        all
    }

    async fn look_at(&self, bucket: &str) -> Result<Is> {
        let doing = |what: &str| format!("cannot look at the {what} of the bucket '{bucket}'");
        let versioning = self.client.get_bucket_versioning().bucket(bucket).send().await;
        let versioning = versioning.map_err(|e| from_sdk(e, &doing("versioning")))?;
        let lifecycle = self.client.get_bucket_lifecycle_configuration().bucket(bucket).send().await;
        let rules = match lifecycle {
            Ok(lifecycle) => lifecycle.rules().to_vec(),
            Err(e) if e.code() == Some("NoSuchLifecycleConfiguration") => Vec::new(),
            Err(e) => return Err(from_sdk(e, &doing("lifecycle"))),
        };
        let lock = match self.client.get_object_lock_configuration().bucket(bucket).send().await {
            Ok(answer) => {
                let retention = answer.object_lock_configuration().and_then(|c| c.rule()?.default_retention().cloned());
                retention.and_then(|r| {
                    let is_strict = r.mode()? == &ObjectLockRetentionMode::Compliance;
                    Some(Lock { is_strict, days: r.days().or(r.years().map(|y| y * 365))? })
                })
            }
            // A bucket without, and a server that knows none.
            Err(e) if e.raw_response().is_some_and(|r| matches!(r.status().as_u16(), 400..=501)) => None,
            Err(e) => return Err(from_sdk(e, &doing("lock"))),
        };
        let versioned = versioning.status() == Some(&BucketVersioningStatus::Enabled);
        Ok(Is { versioned, rules, lock })
    }

    /// What of the buckets is not as it is wanted.
    pub(super) async fn differences(&self, wish: &Wish) -> Result<Vec<Difference>> {
        let mut all = Vec::new();
        for (bucket, wanted) in self.rules(wish) {
            let is = self.look_at(&bucket).await?;
            let mut differs = |what: &str, is: String, wanted: String, removes: Option<String>| {
                all.push(Difference { bucket: bucket.clone(), what: what.to_owned(), is, wanted, removes });
            };
            if bucket == self.config.places[0].0 {
                if !is.versioned {
                    differs("versioning", "off".to_owned(), "on".to_owned(), None);
                }
                if wish.lock.is_some() && is.lock != wish.lock {
                    differs("lock", words(is.lock.as_ref()), words(wish.lock.as_ref()), None);
                }
            }
            let ours: Vec<Rule> = is.rules.iter().filter_map(Rule::of).collect();
            for rule in ours.iter().filter(|r| is_ours(&r.id, &wanted) && !wanted.iter().any(|w| w.id == r.id)) {
                differs(&rule.id, rule.in_words(), "none".to_owned(), None);
            }
            for rule in wanted {
                let known = ours.iter().find(|r| r.id == rule.id);
                if known != Some(&rule) {
                    let removes = match rule.noncurrent_days {
                        _ if rule.expire_days.is_some() => self.lying(&bucket, &rule).await?,
                        Some(days) if known.is_none_or(|k| k.noncurrent_days != Some(days)) => {
                            self.noncurrent(&bucket, &rule.prefix).await?
                        }
                        _ => None,
                    };
                    let is = known.map_or("none".to_owned(), Rule::in_words);
                    differs(&rule.id, is, rule.in_words(), removes);
                }
            }
        }
        Ok(all)
    }

    /// What lies below a rule's prefix, in words.
    async fn lying(&self, bucket: &str, rule: &Rule) -> Result<Option<String>> {
        let (mut count, mut bytes, mut next) = (0_u64, 0, None);
        loop {
            let list = self.client.list_objects_v2().bucket(bucket).prefix(&rule.prefix).set_continuation_token(next);
            let page = list.send().await.map_err(|e| from_sdk(e, &format!("cannot list what is in '{bucket}'")))?;
            for object in page.contents() {
                (count, bytes) = (count + 1, bytes + object.size().unwrap_or(0));
            }
            next = page.next_continuation_token().map(str::to_owned);
            if page.is_truncated() != Some(true) || next.is_none() {
                break;
            }
        }
        Ok((count > 0).then(|| format!("{count} object(s) of {bytes} bytes, as they come of age")))
    }

    /// Earlier versions below a prefix: how many, and their bytes, in words.
    async fn noncurrent(&self, bucket: &str, prefix: &str) -> Result<Option<String>> {
        let (mut count, mut bytes) = (0, 0);
        let mut marks: (Option<String>, Option<String>) = (None, None);
        loop {
            let page = self
                .client
                .list_object_versions()
                .bucket(bucket)
                .prefix(prefix)
                .set_key_marker(marks.0.take())
                .set_version_id_marker(marks.1.take())
                .send()
                .await
                .map_err(|e| from_sdk(e, &format!("cannot list the versions in '{bucket}'")))?;
            for version in page.versions().iter().filter(|v| v.is_latest() == Some(false)) {
                count += 1;
                bytes += version.size().unwrap_or(0);
            }
            marks = (page.next_key_marker().map(str::to_owned), page.next_version_id_marker().map(str::to_owned));
            if page.is_truncated() != Some(true) || marks.0.is_none() {
                break;
            }
        }
        Ok((count > 0).then(|| format!("{count} earlier version(s) of {bytes} bytes, as they come of age")))
    }

    /// Makes the buckets what is wanted.
    pub(super) async fn apply(&self, wish: &Wish) -> Result<()> {
        for (bucket, wanted) in self.rules(wish) {
            let is = self.look_at(&bucket).await?;
            let doing = |what: &str| format!("cannot set the {what} of the bucket '{bucket}'");
            if bucket == self.config.places[0].0 {
                if !is.versioned {
                    let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
                    let put = self.client.put_bucket_versioning().bucket(&bucket).versioning_configuration(on);
                    put.send().await.map_err(|e| from_sdk(e, &doing("versioning")))?;
                }
                if let Some(lock) = wish.lock.as_ref().filter(|lock| is.lock.as_ref() != Some(*lock)) {
                    self.lock(&bucket, lock).await?;
                }
            }
            let mut rules: Vec<LifecycleRule> =
                is.rules.iter().filter(|r| !is_ours(r.id().unwrap_or_default(), &wanted)).cloned().collect();
            for rule in &wanted {
                rules.push(rule.build()?);
            }
            let lifecycle = BucketLifecycleConfiguration::builder().set_rules(Some(rules)).build();
            let lifecycle = lifecycle.map_err(|e| Error::internal("cannot make a lifecycle").because(e))?;
            let put = self.client.put_bucket_lifecycle_configuration().bucket(&bucket);
            // Servers that know no newer checksum want this one.
            let put = put.lifecycle_configuration(lifecycle).customize().mutate_request(|request| {
                if let Some(md5) = request.body().bytes().map(checksum::md5_base64) {
                    request.headers_mut().insert("content-md5", md5);
                }
            });
            put.send().await.map_err(|e| from_sdk(e, &doing("lifecycle")))?;
        }
        Ok(())
    }

    async fn lock(&self, bucket: &str, lock: &Lock) -> Result<()> {
        let mode =
            if lock.is_strict { ObjectLockRetentionMode::Compliance } else { ObjectLockRetentionMode::Governance };
        let retention = DefaultRetention::builder().mode(mode).days(lock.days).build();
        let locked = ObjectLockConfiguration::builder()
            .object_lock_enabled(ObjectLockEnabled::Enabled)
            .rule(ObjectLockRule::builder().default_retention(retention).build())
            .build();
        let put = self.client.put_object_lock_configuration().bucket(bucket).object_lock_configuration(locked);
        match put.send().await {
            Ok(_) => Ok(()),
            Err(e) if e.raw_response().is_some_and(|r| matches!(r.status().as_u16(), 400..=499 | 501)) => {
                let message = format!("the bucket '{bucket}' takes no lock");
                Err(Error::new(Kind::Unsupported, message).because(e).hint(
                    "most servers want it chosen when a bucket is made: make one with object lock, and move there",
                ))
            }
            Err(e) => Err(from_sdk(e, &format!("cannot lock the bucket '{bucket}'"))),
        }
    }
}
