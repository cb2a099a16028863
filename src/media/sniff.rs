//! What a file is, by its first bytes. Names and extensions are not asked: a text file named `.mp4` is text.

use crate::model::MediaKind;

/// How many of a file's first bytes are looked at.
pub const HEAD: usize = 4096;

/// Kind and media type by the first bytes (up to [`HEAD`]; a shorter slice is the whole file).
pub fn sniff(head: &[u8]) -> (MediaKind, &'static str) {
    signature(head)
        .or_else(|| mpeg(head))
        .or_else(|| text(head))
        .unwrap_or((MediaKind::Other, "application/octet-stream"))
}

/// Names of media whose content is told by [`sniff`], in lower case.
const MEDIA_NAMES: &str = "3gp aac aif aiff arw avi avif bmp cr2 cr3 dng dv f4v flac flv gif heic heif j2k jp2 jpeg jpg m2t \
                           m2ts m4a m4v mkv mov mp3 mp4 mpeg mpg mts mxf nef oga ogg ogv opus orf pef png psb psd raf rw2 \
                           tif tiff ts wav webm webp wma wmv";

/// What to say of a file whose name promises media and whose content is none.
pub fn false_name(name: &str, kind: MediaKind, mime: &str) -> Option<String> {
    let extension = name.rsplit_once('.')?.1.to_ascii_lowercase();
    let promised =
        matches!(kind, MediaKind::Other | MediaKind::Sidecar) && MEDIA_NAMES.split(' ').any(|known| known == extension);
    promised.then(|| format!("named .{extension}, but its content is {mime}"))
}

fn has(head: &[u8], at: usize, bytes: &[u8]) -> bool {
    head.get(at..at + bytes.len()) == Some(bytes)
}

fn contains(head: &[u8], bytes: &[u8]) -> bool {
    head.windows(bytes.len()).any(|w| w == bytes)
}

fn signature(head: &[u8]) -> Option<(MediaKind, &'static str)> {
    use MediaKind::{Audio, Image, Other, Video};
    let starts = |bytes: &[u8]| has(head, 0, bytes);
    Some(match head {
        _ if starts(b"\xff\xd8\xff") => (Image, "image/jpeg"),
        _ if starts(b"\x89PNG\r\n\x1a\n") => (Image, "image/png"),
        _ if starts(b"GIF87a") || starts(b"GIF89a") => (Image, "image/gif"),
        _ if starts(b"II*\0") && has(head, 8, b"CR") => (Image, "image/x-canon-cr2"),
        _ if starts(b"IIU\0") => (Image, "image/x-panasonic-rw2"),
        _ if starts(b"IIRO") || starts(b"IIRS") || starts(b"MMOR") => (Image, "image/x-olympus-orf"),
        _ if starts(b"FUJIFILMCCD-RAW ") => (Image, "image/x-fuji-raf"),
        _ if starts(b"II*\0") || starts(b"MM\0*") || starts(b"II+\0") || starts(b"MM\0+") => (Image, "image/tiff"),
        _ if starts(b"RIFF") || starts(b"RF64") || starts(b"BW64") => match head.get(8..12) {
            Some(b"WEBP") => (Image, "image/webp"),
            Some(b"WAVE") => (Audio, "audio/wav"),
            Some(b"AVI ") => (Video, "video/x-msvideo"),
            _ => return None,
        },
        _ if starts(b"BM") && head.len() > 18 && matches!(head[14], 12 | 40 | 52 | 56 | 64 | 108 | 124) => {
            (Image, "image/bmp")
        }
        _ if starts(b"8BPS") => (Image, "image/vnd.adobe.photoshop"),
        _ if has(head, 4, b"ftyp") => brand(head),
        // QuickTime files of before the type box, or whose recording was not finished.
        _ if [b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"].iter().any(|atom| has(head, 4, *atom)) => {
            (Video, "video/quicktime")
        }
        _ if starts(b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01") => (Video, "application/mxf"),
        _ if starts(b"\x1a\x45\xdf\xa3") => match contains(&head[..head.len().min(64)], b"webm") {
            true => (Video, "video/webm"),
            false => (Video, "video/x-matroska"),
        },
        _ if starts(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11") => (Video, "video/x-ms-asf"),
        _ if starts(b"FLV\x01") => (Video, "video/x-flv"),
        _ if starts(b"fLaC") => (Audio, "audio/flac"),
        _ if starts(b"OggS") => match contains(&head[..head.len().min(256)], b"theora") {
            true => (Video, "video/ogg"),
            false => (Audio, "audio/ogg"),
        },
        _ if starts(b"ID3") => (Audio, "audio/mpeg"),
        _ if starts(b"FORM") && matches!(head.get(8..12), Some(b"AIFF" | b"AIFC")) => (Audio, "audio/aiff"),
        _ if starts(b"caff") => (Audio, "audio/x-caf"),
        _ if starts(b"#!AMR") => (Audio, "audio/amr"),
        // Raw DV: a header block of either system, then its subcode blocks (IEC 61834).
        _ if starts(b"\x1f\x07\x00") && matches!(head.get(3), Some(0x3f | 0xbf)) => (Video, "video/x-dv"),
        _ if starts(b"%PDF-") => (Other, "application/pdf"),
        _ if starts(b"PK\x03\x04") => (Other, "application/zip"),
        _ if starts(b"\x1f\x8b") => (Other, "application/gzip"),
        _ if starts(b"\0\0\0\x0cjP  \r\n\x87\n") => (Image, "image/jp2"),
        _ if starts(b"\xff\x4f\xff\x51") => (Image, "image/x-jp2-codestream"),
        _ => return None,
    })
}

/// ISO base media files by their brand (ISO/IEC 14496-12 §4.3).
fn brand(head: &[u8]) -> (MediaKind, &'static str) {
    use MediaKind::{Audio, Image, Video};
    // Those that it is compatible with, within the box.
    let length = head.first_chunk::<4>().map_or(0, |b| u32::from_be_bytes(*b) as usize).clamp(16, 256);
    let says = |brand: &[u8]| head.get(16..length.min(head.len())).unwrap_or_default().chunks(4).any(|b| b == brand);
    match head.get(8..12) {
        Some(b"qt  ") => (Video, "video/quicktime"),
        Some(b"M4A " | b"M4B ") => (Audio, "audio/mp4"),
        Some(b"avif" | b"avis") => (Image, "image/avif"),
        Some(b"mif1" | b"msf1" | b"miaf") if says(b"avif") => (Image, "image/avif"),
        Some(b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1") => (Image, "image/heic"),
        Some(b"crx ") => (Image, "image/x-canon-cr3"),
        _ => (Video, "video/mp4"),
    }
}

/// MPEG streams have no magic number, but a rhythm.
fn mpeg(head: &[u8]) -> Option<(MediaKind, &'static str)> {
    // Transport stream packets of 188 bytes, of 192 with a time stamp before (AVCHD), of 204 with a checksum behind.
    for (first, size) in [(0, 188), (4, 192), (0, 204)] {
        let syncs = (0..5).filter(|i| head.get(first + i * size) == Some(&0x47)).count();
        if syncs == 5 {
            return Some((MediaKind::Video, "video/mp2t"));
        }
    }
    match head.get(..4)? {
        [0, 0, 1, 0xba] => return Some((MediaKind::Video, "video/mpeg")),
        [0, 0, 1, 0xb3] => return Some((MediaKind::Video, "video/mpeg")),
        _ => {}
    }
    let next = adts_length(head)?;
    adts_length(head.get(next..)?).map(|_| (MediaKind::Audio, "audio/aac")).or_else(|| mp3(head))
}

/// The length of the MPEG audio frame or ADTS frame that begins here.
fn adts_length(head: &[u8]) -> Option<usize> {
    if let Some(length) = mp3_length(head) {
        return Some(length);
    }
    let &[0xff, b1, b2, b3, b4, b5, ..] = head else { return None };
    if b1 & 0xf6 != 0xf0 || (b2 >> 2) & 0xf > 12 {
        return None;
    }
    let length = (usize::from(b3 & 3) << 11) | (usize::from(b4) << 3) | usize::from(b5 >> 5);
    (length > 7).then_some(length)
}

fn mp3(head: &[u8]) -> Option<(MediaKind, &'static str)> {
    let next = mp3_length(head)?;
    mp3_length(head.get(next..)?).map(|_| (MediaKind::Audio, "audio/mpeg"))
}

/// Length in bytes of an MPEG-1 or -2 layer III frame (ISO/IEC 11172-3 §2.4.1.3).
fn mp3_length(head: &[u8]) -> Option<usize> {
    const V1: [usize; 16] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0];
    const V2: [usize; 16] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0];
    let &[0xff, b1, b2, _, ..] = head else { return None };
    let (version, layer) = ((b1 >> 3) & 3, (b1 >> 1) & 3);
    if b1 & 0xe0 != 0xe0 || layer != 1 || version == 1 {
        return None;
    }
    let index = usize::from(b2 >> 4);
    let (kbps, samples) = if version == 3 { (V1[index], 144) } else { (V2[index], 72) };
    let rate = match (version, (b2 >> 2) & 3) {
        (3, 0) => 44_100,
        (3, 1) => 48_000,
        (3, 2) => 32_000,
        (2, 0) => 22_050,
        (2, 1) => 24_000,
        (2, 2) => 16_000,
        (0, 0) => 11_025,
        (0, 1) => 12_000,
        (0, 2) => 8_000,
        _ => return None,
    };
    (kbps > 0).then(|| samples * kbps * 1000 / rate + usize::from((b2 >> 1) & 1))
}

fn text(head: &[u8]) -> Option<(MediaKind, &'static str)> {
    let valid = match std::str::from_utf8(head) {
        Ok(all) => all,
        // A cut in the middle of a character at the end of the head is no fault.
        Err(e) if e.error_len().is_none() && head.len() >= HEAD => {
            std::str::from_utf8(&head[..e.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let plain = valid.trim_start_matches('\u{feff}').trim_start();
    if plain.is_empty() || valid.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return None;
    }
    Some(match plain {
        p if p.starts_with("<?xpacket") || p.contains("<x:xmpmeta") => (MediaKind::Sidecar, "application/rdf+xml"),
        p if p.starts_with("WEBVTT") => (MediaKind::Sidecar, "text/vtt"),
        p if is_srt(p) => (MediaKind::Sidecar, "application/x-subrip"),
        p if p.starts_with("<?xml") => (MediaKind::Other, "application/xml"),
        _ => (MediaKind::Other, "text/plain"),
    })
}

/// A number, then a time range.
fn is_srt(text: &str) -> bool {
    let mut lines = text.lines();
    let number = lines.next().is_some_and(|l| !l.trim().is_empty() && l.trim().bytes().all(|b| b.is_ascii_digit()));
    number && lines.next().is_some_and(|l| l.contains("-->") && l.contains(':'))
}

/// Why a name is one that systems and programs leave behind, if it is. `path` is below the drive's root.
pub fn junk(path: &std::path::Path) -> Option<&'static str> {
    use std::os::unix::ffi::OsStrExt;
    for part in path.components() {
        let name = part.as_os_str().as_bytes();
        let why = match name {
            b".DS_Store" => "Finder settings",
            b"Thumbs.db" | b"ehthumbs.db" => "Windows thumbnails",
            b"desktop.ini" | b"Desktop.ini" => "Explorer settings",
            b"__MACOSX" => "leftovers of a macOS archive",
            b".Trashes" | b".Trash" | b"$RECYCLE.BIN" | b"RECYCLER" => "trash",
            b".Spotlight-V100" => "Spotlight's index",
            b".fseventsd" => "macOS file system events",
            b".TemporaryItems" | b".DocumentRevisions-V100" | b".apdisk" => "macOS leftovers",
            b"System Volume Information" => "Windows system files",
            b"lost+found" => "a file system's lost and found",
            n if n.starts_with(b"._") => "an AppleDouble resource fork",
            n if n.starts_with(b".Trash-") => "trash",
            _ => continue,
        };
        return Some(why);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_promises_media_is_told() {
        let told = |name, head: &[u8]| {
            let (kind, mime) = sniff(head);
            false_name(name, kind, mime)
        };
        assert_eq!(told("a.MP4", b"plain words\n").as_deref(), Some("named .mp4, but its content is text/plain"));
        assert_eq!(told("a.txt", b"plain words\n"), None);
        assert_eq!(told("a.png", b"\xff\xd8\xff\xe0"), None);
    }

    #[test]
    fn text_named_mp4_is_text_and_nothing_is_unknown_by_panic() {
        assert_eq!(sniff(b"This is not a film.\n"), (MediaKind::Other, "text/plain"));
        assert_eq!(sniff(b""), (MediaKind::Other, "application/octet-stream"));
        assert_eq!(sniff(b"\xff"), (MediaKind::Other, "application/octet-stream"));
    }

    #[test]
    fn sidecars_are_known_by_their_content() {
        assert_eq!(sniff("1\n00:00:01,000 --> 00:00:02,000\nHola\n".as_bytes()).1, "application/x-subrip");
        assert_eq!(sniff("\u{feff}WEBVTT\n\n".as_bytes()).1, "text/vtt");
        assert_eq!(sniff(b"<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta/>").0, MediaKind::Sidecar);
    }

    #[test]
    fn a_transport_stream_is_known_by_its_rhythm() {
        let mut ts = vec![0u8; 188 * 6];
        ts.iter_mut().step_by(188).for_each(|b| *b = 0x47);
        assert_eq!(sniff(&ts).1, "video/mp2t");
        ts[188] = 0;
        assert_ne!(sniff(&ts).1, "video/mp2t");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_told_without_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600)) {
            sniff(&bytes);
        }
    }
}
