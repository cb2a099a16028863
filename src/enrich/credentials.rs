//! Whether a file carries content credentials (C2PA 2.1, "Embedding manifests into assets"). What they say is not looked into.

use std::io::Read;

use crate::{
    error::{Doing, Result},
    model::Key,
    store::Store,
};

/// How much of a picture is looked at: its metadata come before its pixels.
const HEAD: u64 = 4 << 20;
/// Most top-level boxes of a film that are walked over.
const BOXES: usize = 256;
/// The user type of the box that holds a manifest in ISO base media files.
const MANIFEST: [u8; 16] =
    [0xd8, 0xfe, 0xc3, 0xd6, 0x1b, 0x0e, 0x48, 0x3c, 0x92, 0x97, 0x58, 0x28, 0x87, 0x7e, 0xc4, 0x81];

/// Looks where a format keeps them: a segment APP11 of JPEG, the chunk `caBX` of PNG, a box of MP4, QuickTime, HEIF and AVIF.
pub(super) fn has_credentials(store: &dyn Store, key: &Key, mime: &str) -> Result<bool> {
    let size = store.size(key)?.unwrap_or(0);
    let read = |from: u64, length: u64| -> Result<Vec<u8>> {
        let (mut bytes, end) = (Vec::new(), from.saturating_add(length).min(size));
        if from < end {
            store.open(key, Some(from..end))?.read_to_end(&mut bytes).doing(|| format!("cannot read {key}"))?;
        }
        Ok(bytes)
    };
    Ok(match mime {
        "image/jpeg" => in_jpeg(&read(0, HEAD)?),
        "image/png" => in_png(&read(0, HEAD)?),
        "video/mp4" | "video/quicktime" | "image/heic" | "image/heif" | "image/avif" | "audio/mp4" => {
            let mut at = 0;
            for _ in 0..BOXES {
                let head = read(at, 32)?;
                let Some((length, is_manifest)) = box_at(&head) else { break };
                if is_manifest {
                    return Ok(true);
                }
                at = at.saturating_add(length);
            }
            false
        }
        _ => false,
    })
}

/// A box's length, and whether it holds a manifest; none where there is no box, or one that goes on to the end.
fn box_at(head: &[u8]) -> Option<(u64, bool)> {
    let short = u64::from(u32::from_be_bytes(head.get(..4)?.try_into().ok()?));
    let (length, header) = match short {
        1 => (u64::from_be_bytes(head.get(8..16)?.try_into().ok()?), 16),
        n => (n, 8),
    };
    let is_manifest = head.get(4..8)? == b"uuid" && head.get(header..header + 16) == Some(&MANIFEST);
    (length >= header as u64 || is_manifest).then_some((length, is_manifest))
}

fn in_jpeg(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some([0xff, marker, high, low]) = bytes.get(at..at + 4) {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        match marker {
            // The picture itself begins.
            0xda => return false,
            0xeb => {
                // JUMBF: a common identifier "JP", then boxes, the first of which describes one of the type "c2pa".
                let segment = bytes.get(at + 4..at + 2 + length).unwrap_or_default();
                if segment.starts_with(b"JP") && segment.windows(4).any(|w| w == b"c2pa") {
                    return true;
                }
            }
            _ => {}
        }
        at += 2 + length.max(2);
    }
    false
}

fn in_png(bytes: &[u8]) -> bool {
    let mut at = 8;
    while let Some(head) = bytes.get(at..at + 8) {
        let length = u32::from_be_bytes(head[..4].try_into().unwrap_or_default()) as usize;
        match &head[4..] {
            b"caBX" => return true,
            b"IDAT" | b"IEND" => return false,
            _ => at = at.saturating_add(length).saturating_add(12),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_seen_where_formats_keep_them_and_nowhere_else() {
        let app11 = |content: &[u8]| {
            let mut jpeg = vec![0xff, 0xd8, 0xff, 0xeb];
            jpeg.extend(((content.len() + 2) as u16).to_be_bytes());
            jpeg.extend(content);
            jpeg.extend([0xff, 0xda, 0, 2]);
            jpeg
        };
        assert!(in_jpeg(&app11(b"JP\0\x01\0\0\0\x01\0\0\0\x20jumb\0\0\0\x18jumdc2pa")));
        assert!(!in_jpeg(&app11(b"JP\0\x01 something else")));
        assert!(!in_jpeg(b"\xff\xd8\xff\xda\0\x02c2pa") && !in_jpeg(b""));
        let png = |kind: &[u8; 4]| [b"\x89PNG\r\n\x1a\n\0\0\0\x01", &kind[..], b"x\0\0\0\0\0\0\0\0IDAT"].concat();
        assert!(in_png(&png(b"caBX")) && !in_png(&png(b"tEXt")));
        let uuid = [b"\0\0\0\x20uuid".as_slice(), &MANIFEST, b"........"].concat();
        assert_eq!(box_at(&uuid), Some((32, true)));
        assert_eq!(box_at(b"\0\0\0\x18ftypisom"), Some((24, false)));
        assert_eq!(box_at(b"\0\0\0\0mdat"), None);
    }
}
