//! Encryption of whole segments: AES-128 in CBC mode, padded by PKCS #7 (RFC 8216, 4.3.2.4 and 5.2).

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

use aes::cipher::{Block, BlockModeEncrypt, KeyIvInit};

use crate::error::{Doing, Error, Result};

type Encryptor = cbc::Encryptor<aes::Aes128>;

const BLOCK: usize = 16;
/// How much is encrypted at once.
const PIECE: usize = 1 << 16;

/// The key of one rendition. Nothing shows it: no log, no message.
pub(super) struct Key([u8; 16]);

/// What the first block of a segment is mixed with: another for each, so that equal beginnings do not show.
pub(super) type Vector = [u8; 16];

impl Key {
    pub(super) fn random() -> Result<Self> {
        random().map(Self)
    }

    /// Writes it as players fetch it: its 16 bytes.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, self.0).doing(|| "cannot write the key of a stream")
    }

    /// Encrypts a file where it lies.
    pub(super) fn seal(&self, path: &Path, vector: &Vector) -> Result<()> {
        let doing = || format!("cannot encrypt {}", path.display());
        let mut file = File::options().read(true).write(true).open(path).doing(doing)?;
        let mut cipher = Encryptor::new(&self.0.into(), &(*vector).into());
        let (mut piece, mut at) = (Vec::with_capacity(PIECE + BLOCK), 0);
        loop {
            piece.clear();
            (&file).take(PIECE as u64).read_to_end(&mut piece).doing(doing)?;
            let is_last = piece.len() < PIECE;
            if is_last {
                let pad = BLOCK - piece.len() % BLOCK;
                piece.resize(piece.len() + pad, pad as u8);
            }
            for block in piece.chunks_exact_mut(BLOCK) {
                let block: &mut Block<Encryptor> =
                    block.try_into().map_err(|_| Error::internal("a block of another size"))?;
                cipher.encrypt_block(block);
            }
            file.seek(SeekFrom::Start(at)).doing(doing)?;
            file.write_all(&piece).doing(doing)?;
            at += piece.len() as u64;
            if is_last {
                return Ok(());
            }
        }
    }
}

/// One vector a segment.
pub(super) fn vectors(count: usize) -> Result<Vec<Vector>> {
    (0..count).map(|_| random()).collect()
}

fn random() -> Result<[u8; 16]> {
    let mut bytes = [0; 16];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) {
        // Up to 256 bytes come whole (getrandom(2)).
        Ok(16) => Ok(bytes),
        _ => Err(Error::unavailable("the system gives no random numbers")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_of_every_length_are_what_openssl_makes_of_them() {
        // NIST SP 800-38A, F.2.1, and a block of padding after it.
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
        };
        let key = Key(hex("2b7e151628aed2a6abf7158809cf4f3c").try_into().unwrap());
        let vector: Vector = hex("000102030405060708090a0b0c0d0e0f").try_into().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")).unwrap();
        key.seal(file.path(), &vector).unwrap();
        let sealed = fs::read(file.path()).unwrap();
        assert_eq!(sealed[..32], hex("7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"));
        for length in [0, 1, 15, 16, 17, PIECE - 1, PIECE, PIECE + 1] {
            fs::write(file.path(), vec![7; length]).unwrap();
            key.seal(file.path(), &vector).unwrap();
            assert_eq!(fs::metadata(file.path()).unwrap().len() as usize, (length / BLOCK + 1) * BLOCK, "{length}");
        }
    }
}
