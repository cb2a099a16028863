//! Says what a picture file is, from its header alone.

use std::path::Path;

use super::header::{self, Header};
use crate::{
    error::Result,
    model::{ImageFacts, MediaFacts, MediaKind},
};

/// Technical metadata of a picture of this media type, reading little of it. Several frames make it an animation.
/// A damaged header gives facts with a `problem`; an error is one of I/O.
///
/// Tags: `make`, `model`, `artist`, `copyright`, `image_description`, and as ISO 8601 `date_time` and
/// `date_time_original` (with its offset, where the camera wrote one).
pub fn facts(input: &Path, mime: &str) -> Result<MediaFacts> {
    Ok(from(header::read(input)?, mime))
}

pub(super) fn from(header: Header, mime: &str) -> MediaFacts {
    let kind = if header.frames > 1 { MediaKind::Animation } else { MediaKind::Image };
    let mut facts = MediaFacts::bare(kind, header.mime.unwrap_or(mime));
    facts.container = header.format.map(|f| f.as_str().to_owned());
    facts.duration_ms = (header.frames > 1).then_some(header.duration_ms);
    facts.image = (header.width > 0 && header.height > 0).then(|| ImageFacts {
        width: header.width,
        height: header.height,
        orientation: header.orientation.max(1),
        bit_depth: header.bit_depth,
        color: header.color.to_owned(),
        alpha: header.alpha,
        frames: header.frames,
        icc: header.icc.as_deref().and_then(profile_name),
    });
    facts.tags = header.tags;
    facts.problem = header.problem;
    facts
}

/// The `desc` tag of an ICC profile: `textDescriptionType` (ICC.1:2001-04, 6.5.17) or `multiLocalizedUnicodeType`
/// (ICC.1:2022, 10.15), of which the first record is taken.
pub(super) fn profile_name(icc: &[u8]) -> Option<String> {
    let long = |at: usize| icc.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_be_bytes);
    let count = long(128)?.min(200) as usize;
    let entry = (0..count).map(|i| 132 + 12 * i).find(|&at| icc.get(at..at + 4) == Some(b"desc"))?;
    let (start, length) = (long(entry + 4)? as usize, long(entry + 8)? as usize);
    let tag = icc.get(start..start.checked_add(length)?)?;
    let word = |at: usize| tag.get(at..at.checked_add(4)?)?.try_into().ok().map(|b| u32::from_be_bytes(b) as usize);
    let name = match tag.get(..4)? {
        b"desc" => {
            let text = tag.get(12..12usize.checked_add(word(8)?)?)?;
            String::from_utf8_lossy(text).into_owned()
        }
        b"mluc" => {
            let (length, from) = (word(20)?.min(1024), word(24)?);
            let text = tag.get(from..from.checked_add(length)?)?;
            let units = text.chunks_exact(2).map(|c| u16::from_be_bytes([c[0], c[1]]));
            char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect()
        }
        _ => return None,
    };
    let name: String = name.chars().take_while(|&c| c != '\0').filter(|c| !c.is_control()).take(200).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}
