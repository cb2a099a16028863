//! Signatures: Ed25519 (RFC 8032) over the bytes of a file, kept beside it as its raw 64 bytes. Keys are PEM files as
//! `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write them, so openssl alone can check a signature.

use std::{fs::File, io::Read, os::unix::fs::MetadataExt, path::Path};

use ed25519_dalek::{
    Signature, Signer as _, SigningKey, VerifyingKey,
    pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePublicKey as _},
};

use crate::{
    digest::Digest,
    error::{Doing, Error, Result},
};

/// A private key. It can sign, and cannot be shown.
pub struct SealKey(SigningKey);

impl SealKey {
    /// The key in this PEM file (PKCS#8), which nobody but its owner may be able to read.
    pub fn open(path: &Path) -> Result<Self> {
        let doing = || format!("cannot read the key {}", path.display());
        let mut file = File::open(path).doing(doing)?;
        let mode = file.metadata().doing(doing)?.mode();
        if mode & 0o077 != 0 {
            let message = format!("the key {} can be read by others (mode {:04o})", path.display(), mode & 0o7777);
            return Err(Error::invalid(message).hint(format!("chmod 600 {}", path.display())));
        }
        let mut pem = String::new();
        file.read_to_string(&mut pem).doing(doing)?;
        // The cause is not told: nothing of the key is to come into a log.
        SigningKey::from_pkcs8_pem(&pem).map(Self).map_err(|_| {
            Error::invalid(format!("{} is not an Ed25519 private key in PEM (PKCS#8)", path.display()))
                .hint("openssl genpkey -algorithm ed25519 -out key.pem makes one; one with a passphrase is not read")
        })
    }

    /// SHA-256 of the public key in DER (SubjectPublicKeyInfo): what `openssl pkey -pubout -outform DER | sha256sum` gives.
    pub fn fingerprint(&self) -> Result<Digest> {
        fingerprint(&self.0.verifying_key())
    }

    /// The signature of these bytes.
    pub fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }
}

fn fingerprint(key: &VerifyingKey) -> Result<Digest> {
    let der = key.to_public_key_der().map_err(|e| Error::internal("cannot write a public key").because(e))?;
    Ok(Digest::of(der.as_bytes()))
}

/// Checks a signature with the public key in a PEM file; gives the key's fingerprint. One that does not fit is `Corrupt`.
pub fn verify_seal(public_key: &Path, bytes: &[u8], signature: &[u8]) -> Result<Digest> {
    let pem = std::fs::read_to_string(public_key).doing(|| format!("cannot read the key {}", public_key.display()))?;
    let key = VerifyingKey::from_public_key_pem(&pem).map_err(|e| {
        Error::invalid(format!("{} is not an Ed25519 public key in PEM", public_key.display()))
            .because(e)
            .hint("openssl pkey -in key.pem -pubout -out pub.pem writes it")
    })?;
    let wrong = || Error::corrupt(format!("the signature is not one of these bytes by {}", public_key.display()));
    let signature = Signature::from_slice(signature).map_err(|_| wrong())?;
    key.verify_strict(bytes, &signature).map_err(|_| wrong())?;
    fingerprint(&key)
}
