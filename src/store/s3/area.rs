//! What the objects of each area are asked to be: masters are the archive's own, renditions and delivery may be
//! everybody's to read and to keep.

use aws_sdk_s3::types::{ObjectCannedAcl, ServerSideEncryption, StorageClass};

use crate::{
    error::{Error, Result},
    model::{self, Area, Key},
};

/// What the objects of an area are asked to be when they are written. Of what is not said, nothing is sent, and the
/// bucket's own settings hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectSettings {
    /// Server-side encryption: `AES256`, `aws:kms`, or `aws:kms KEY` with the id or ARN of a key.
    pub encryption: Option<String>,
    /// `STANDARD_IA`, `GLACIER_IR`, or what the server calls its own.
    pub storage_class: Option<String>,
    /// A canned ACL: `public-read`, `bucket-owner-full-control`, …
    pub acl: Option<String>,
    /// How long browsers and networks may keep it.
    pub cache_control: Option<String>,
}

impl ObjectSettings {
    /// An error for what no S3 knows, before anything is sent.
    pub(super) fn check(&self, area: Area) -> Result<()> {
        let area = area.as_str();
        if let Some(text) = &self.encryption {
            let (kind, key) = words(text);
            let is_known = ServerSideEncryption::values().contains(&kind);
            if !is_known || (key.is_some() && !kind.starts_with("aws:kms")) {
                let message = format!("the encryption of {area} is '{text}'");
                return Err(
                    Error::invalid(message).hint("it is AES256, aws:kms, or 'aws:kms KEY' with a key's id or ARN")
                );
            }
        }
        match &self.acl {
            Some(acl) if !ObjectCannedAcl::values().contains(&acl.as_str()) => {
                let known = ObjectCannedAcl::values().join(", ");
                Err(Error::invalid(format!("the ACL of {area} is '{acl}'")).hint(format!("it is one of {known}")))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn encryption(&self) -> Option<ServerSideEncryption> {
        self.encryption.as_deref().map(|text| ServerSideEncryption::from(words(text).0))
    }

    /// The key that the server's key service is to encrypt with.
    pub(super) fn kms_key(&self) -> Option<String> {
        self.encryption.as_deref().and_then(|text| words(text).1).map(str::to_owned)
    }

    pub(super) fn storage_class(&self) -> Option<StorageClass> {
        self.storage_class.as_deref().map(StorageClass::from)
    }

    pub(super) fn acl(&self) -> Option<ObjectCannedAcl> {
        self.acl.as_deref().map(ObjectCannedAcl::from)
    }
}

/// What a browser is to take an object for: of what was made here, its name says it.
pub(super) fn media_type(key: &Key) -> Option<&'static str> {
    (key.area() != Area::Masters).then(|| model::media_type(key.as_str()))
}

fn words(text: &str) -> (&str, Option<&str>) {
    let (kind, key) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    (kind, Some(key.trim()).filter(|k| !k.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_server_knows_is_refused_with_what_is_known() {
        let encrypted = |text: &str| ObjectSettings { encryption: Some(text.to_owned()), ..Default::default() };
        for good in ["AES256", "aws:kms", "aws:kms arn:aws:kms:eu-west-1:1:key/2", "aws:kms:dsse alias/archive"] {
            assert!(encrypted(good).check(Area::Masters).is_ok(), "{good}");
        }
        for bad in ["aes256", "AES256 key", "kms", "aws:kmskey"] {
            assert!(encrypted(bad).check(Area::Masters).is_err(), "{bad}");
        }
        assert_eq!(encrypted("aws:kms  k ").kms_key().as_deref(), Some("k"));
        let open = ObjectSettings { acl: Some("public".to_owned()), ..Default::default() };
        let refused = open.check(Area::Delivery).unwrap_err();
        assert!(refused.to_string().contains("the ACL of delivery is 'public'"), "{refused}");
    }
}
