//! x
use crate::{error::Result, media::Rendered, model::MediaFacts, profile::Entry, stop::Stop};
pub fn accept(
    _d: &std::path::Path,
    _r: &Rendered,
    e: &Entry,
    _m: &MediaFacts,
    _t: std::time::Duration,
    _s: &Stop,
) -> Result<MediaFacts> {
    Ok(MediaFacts::bare(crate::model::MediaKind::Video, e.spec.mime()))
}
