//! Sheets of small pictures: one after the other is looked for, scaled and laid onto its sheet.

use gstreamer as gst;

use super::{branch::fit, color::Look, poster::Seeker, still};
use crate::{
    error::{Error, Result},
    media::{Rendered, sprite::Sheets},
    profile::{Entry, Sprite},
};

/// Makes all sheets and their list. An error within is this output's; an outer one is the recording's, unless it is of damage.
pub(super) fn render(
    seeker: &mut Seeker<'_>,
    entry: &Entry,
    spec: &Sprite,
    look: &Look,
    progress: &mut dyn FnMut(f64),
) -> Result<Result<Rendered>> {
    let work = seeker.work;
    let size = match fit(work, entry) {
        Ok(size) => size,
        Err(e) => return Ok(Err(e)),
    };
    let duration_ms = work.facts.duration_ms.unwrap_or(0);
    let rotation = work.facts.video.as_ref().map_or(0, |v| v.rotation);
    let cues = spec.cues(duration_ms);
    let mut sheets = Sheets::new(work.out_dir, &entry.name, spec, size, cues.len());
    for (i, (from, to)) in cues.iter().enumerate() {
        work.stop.check()?;
        let at = (from + to) / 2;
        let frame = seeker.frame_at(gst::ClockTime::from_mseconds(at))?;
        ends_early(work.facts, frame.begins, at)?;
        let laid = still::pixels(&frame, look.route, rotation, size, [0; 3]).and_then(|pixels| sheets.push(&pixels));
        if let Err(e) = laid {
            return Ok(Err(e));
        }
        progress((i + 1) as f64 / cues.len() as f64);
    }
    let files = sheets.finish(&cues);
    Ok(files.map(|files| Rendered {
        output: entry.name.clone(),
        files,
        size,
        frames: cues.len() as u64,
        duration_ms,
        input_peak_dbfs: None,
        input_seen: None,
        mixed: None,
        encoder: None,
        film: None,
        others: Vec::new(),
    }))
}

/// An error when the last frame that is there begins so long before a place that the file must be cut short.
fn ends_early(facts: &crate::model::MediaFacts, begins: Option<gst::ClockTime>, at: u64) -> Result<()> {
    let Some(video) = &facts.video else { return Ok(()) };
    let (Some(begins), Some(frames), (n, d)) = (begins, video.frames, video.rate) else { return Ok(()) };
    if n == 0 || video.variable_rate {
        return Ok(());
    }
    // What the header says of the pictures alone: the sound may go on.
    let promised = (frames * u64::from(d) * 1000 / u64::from(n)).min(at);
    match begins.mseconds() + 2_400 >= promised {
        true => Ok(()),
        false => Err(Error::corrupt(format!(
            "the recording ends after {} s of the {} s that its header promises",
            begins.mseconds() as f64 / 1000.0,
            facts.duration_ms.unwrap_or(0) as f64 / 1000.0
        ))
        .hint("the file is cut short or damaged in the middle: look for a better copy")),
    }
}
