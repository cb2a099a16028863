//! The branch that hands decoded samples to the writer of waveforms.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_audio as gst_audio;

use super::{
    graph::{chain, make, pad},
    mix::Prepared,
    video::Tally,
};
use crate::{
    error::{Error, Result},
    media::waveform::Peaks,
    profile::Waveform,
};

/// The writer, made when the first samples show what they are.
#[derive(Clone)]
pub(super) struct Collected(Arc<Mutex<Option<Result<Peaks>>>>);

/// A branch from samples of 16 bits to the files of a waveform.
pub(super) fn branch(
    pipeline: &gst::Pipeline,
    prepared: Prepared,
    spec: &Waveform,
    out_dir: &Path,
    entry: &str,
) -> Result<(Vec<gst::Element>, Tally, Collected)> {
    let sink = make("fakesink", &[("sync", "false"), ("async", "false")])?;
    let (collected, tally) = (Collected(Arc::default()), Tally::default());
    let samples = pad(&sink, "sink")?;
    tally.watch(&samples, gst::ClockTime::ZERO);
    let (writer, spec, out_dir, entry) = (collected.0.clone(), spec.clone(), out_dir.to_owned(), entry.to_owned());
    samples.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        let peaks = writer.get_or_insert_with(|| {
            let info = pad.current_caps().and_then(|c| gst_audio::AudioInfo::from_caps(&c).ok());
            let info = info.ok_or_else(|| Error::internal("sound of an unknown kind has no peaks"))?;
            Peaks::create(&out_dir, &entry, &spec, info.rate(), info.channels())
        });
        let written = match (peaks.as_mut(), info.buffer().and_then(|b| b.map_readable().ok())) {
            (Ok(peaks), Some(map)) => {
                let samples: Vec<i16> =
                    map.as_slice().as_chunks::<2>().0.iter().map(|b| i16::from_le_bytes(*b)).collect();
                peaks.push(&samples)
            }
            _ => Ok(()),
        };
        if let Err(e) = written {
            *peaks = Err(e);
        }
        gst::PadProbeReturn::Ok
    });
    // Noise against rounding would widen every pair.
    for converter in prepared.before.iter().filter(|e| e.find_property("dithering").is_some()) {
        converter.set_property_from_str("dithering", "none");
    }
    let mut elements = vec![prepared.from];
    elements.extend(prepared.before);
    elements.push(sink);
    chain(pipeline, &elements)?;
    let mut own = elements.split_off(1);
    own.extend(prepared.beside);
    Ok((own, tally, collected))
}

impl Collected {
    /// Completes the files, once the pipeline is shut down; gives their names.
    pub(super) fn finish(&self) -> Result<Vec<String>> {
        let peaks = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let peaks = peaks.unwrap_or_else(|| Err(Error::corrupt("not one second of its sound could be decoded")))?;
        Ok(peaks.finish()?.0)
    }
}
