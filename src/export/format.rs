//! Which format a file is of, as PRONOM knows it: by media type and codec, and only where these leave no doubt.

use serde::Deserialize;

use crate::{
    error::{Error, Result},
    model::MediaFacts,
};

/// A format of PRONOM.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Format {
    /// The media type by content.
    mime: String,
    /// The first sound track's codec, where the media type is of several formats.
    #[serde(default)]
    codec: Option<String>,
    /// Its name.
    pub name: String,
    /// Its identifier: `fmt/569`.
    pub puid: String,
}

/// The formats that are known.
pub(super) fn formats() -> Result<Vec<Format>> {
    serde_saphyr::from_str(include_str!("puids.yaml")).map_err(|e| Error::internal("the table of formats").because(e))
}

/// The one that a file is of, if that is certain.
pub(super) fn identify<'f>(formats: &'f [Format], facts: &MediaFacts) -> Option<&'f Format> {
    let codec = facts.audio.first().map(|a| a.codec.as_str());
    formats.iter().find(|f| f.mime == facts.mime && f.codec.as_deref().is_none_or(|c| codec == Some(c)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MediaKind;

    #[test]
    fn a_format_is_named_only_where_it_is_certain() {
        let formats = formats().unwrap();
        let of = |mime: &str| identify(&formats, &MediaFacts::bare(MediaKind::Other, mime)).map(|f| f.puid.clone());
        assert_eq!(of("video/x-matroska").as_deref(), Some("fmt/569"));
        assert_eq!((of("image/png"), of("audio/mpeg"), of("video/mp4")), (None, None, None));
        let is_puid =
            |p: &str| p.trim_start_matches("x-").strip_prefix("fmt/").is_some_and(|n| n.parse::<u32>().is_ok());
        assert!(formats.iter().all(|f| is_puid(&f.puid)), "{formats:?}");
    }
}
