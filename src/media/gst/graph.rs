//! Making and linking GStreamer elements, with errors that say which Debian package is missing.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;

use crate::error::{Error, Result};

/// Everything the renderer may use: element, Debian package, and what cannot be made without it.
pub(super) const ELEMENTS: [(&str, &str, &str); 46] = [
    ("uridecodebin", "gstreamer1.0-plugins-base", "any rendition of sound or moving pictures"),
    ("videoconvertscale", "gstreamer1.0-plugins-base", "every mp4"),
    ("identity", "libgstreamer1.0-0", "any sound"),
    ("audioconvert", "gstreamer1.0-plugins-base", "any sound"),
    ("audioresample", "gstreamer1.0-plugins-base", "any sound"),
    ("audiorate", "gstreamer1.0-plugins-base", "any sound"),
    ("audiotestsrc", "gstreamer1.0-plugins-base", "music over films without sound"),
    ("audiomixer", "gstreamer1.0-plugins-base", "several sound tracks in one"),
    ("opusenc", "gstreamer1.0-plugins-base", "opus"),
    ("oggmux", "gstreamer1.0-plugins-base", "opus"),
    ("appsink", "gstreamer1.0-plugins-base", "posters without a full decode"),
    ("appsrc", "gstreamer1.0-plugins-base", "mp4 of animations"),
    ("qtdemux", "gstreamer1.0-plugins-good", "masters in MP4 and QuickTime"),
    ("capssetter", "gstreamer1.0-plugins-good", "right colors"),
    ("videorate", "gstreamer1.0-plugins-base", "frame_rate"),
    ("videotestsrc", "gstreamer1.0-plugins-base", "trying encoders in hardware"),
    ("deinterlace", "gstreamer1.0-plugins-good", "interlaced masters"),
    ("videoflip", "gstreamer1.0-plugins-good", "rotated masters"),
    ("mp4mux", "gstreamer1.0-plugins-good", "every mp4"),
    ("qtmux", "gstreamer1.0-plugins-good", "mov, mezzanine"),
    ("webmmux", "gstreamer1.0-plugins-good", "webm"),
    ("vp9enc", "gstreamer1.0-plugins-good", "VP9"),
    ("wavenc", "gstreamer1.0-plugins-good", "wav"),
    ("flacenc", "gstreamer1.0-plugins-good", "flac"),
    ("lamemp3enc", "gstreamer1.0-plugins-good", "mp3"),
    ("h264parse", "gstreamer1.0-plugins-bad", "masters in H.264"),
    ("x265enc", "gstreamer1.0-plugins-bad", "H.265"),
    ("h265parse", "gstreamer1.0-plugins-bad", "H.265"),
    ("av1enc", "gstreamer1.0-plugins-bad", "AV1"),
    ("av1parse", "gstreamer1.0-plugins-bad", "AV1"),
    ("mpegtsmux", "gstreamer1.0-plugins-bad", "ts"),
    ("pushfilesrc", "gstreamer1.0-plugins-bad", "masters in WAV"),
    ("x264enc", "gstreamer1.0-plugins-ugly", "H.264: most mp4"),
    ("avenc_aac", "gstreamer1.0-libav", "the sound of mp4, m4a"),
    ("avenc_ac3", "gstreamer1.0-libav", "ac3"),
    ("avenc_prores_ks", "gstreamer1.0-libav", "ProRes"),
    ("avenc_dnxhd", "gstreamer1.0-libav", "DNxHD, DNxHR"),
    ("avdec_h264", "gstreamer1.0-libav", "masters in H.264"),
    ("avdec_h265", "gstreamer1.0-libav", "masters in HEVC"),
    ("avdec_prores", "gstreamer1.0-libav", "masters in ProRes"),
    ("avdec_jpeg2000", "gstreamer1.0-libav", "masters in JPEG 2000"),
    ("avdec_dvvideo", "gstreamer1.0-libav", "masters in DV"),
    ("avdec_mpeg2video", "gstreamer1.0-libav", "masters in MPEG-2: XDCAM, IMX, HDV, off-air recordings"),
    ("avdec_aac", "gstreamer1.0-libav", "sound in AAC"),
    ("assrender", "gstreamer1.0-plugins-bad", "the words of brands"),
    ("mxfdemux", "gstreamer1.0-plugins-bad", "masters in MXF"),
];

/// One element with properties in GStreamer's text form.
pub(super) fn make(factory: &str, properties: &[(&str, &str)]) -> Result<gst::Element> {
    let element = gst::ElementFactory::make(factory).build().map_err(|_| missing(factory))?;
    for (name, value) in properties {
        if element.find_property(name).is_none() {
            return Err(Error::internal(format!("GStreamer's {factory} has no property '{name}'")));
        }
        element.set_property_from_str(name, value);
    }
    Ok(element)
}

fn missing(factory: &str) -> Error {
    let error = Error::unavailable(format!("GStreamer's element '{factory}' is missing"));
    match ELEMENTS.iter().find(|(element, ..)| *element == factory) {
        Some((_, package, _)) => error.hint(format!("install Debian's package {package}")),
        None => error,
    }
}

/// A filter of media types.
pub(super) fn caps(text: &str) -> Result<gst::Element> {
    make("capsfilter", &[("caps", text)])
}

/// A queue of so many buffers, whatever their size; 0 is no limit. A limit of time would hang: x264 holds back more
/// seconds than the default queue of the other stream can bridge.
pub(super) fn queue(buffers: u32) -> Result<gst::Element> {
    let buffers = buffers.to_string();
    make("queue", &[("max-size-buffers", &buffers), ("max-size-bytes", "0"), ("max-size-time", "0")])
}

/// A tee whose branches may end, or be missing, without stopping the others.
pub(super) fn tee() -> Result<gst::Element> {
    make("tee", &[("allow-not-linked", "true")])
}

/// Adds what is not yet in the pipeline, links all in order and brings them to the pipeline's state, last first: data
/// must not meet an element that is not ready.
pub(super) fn chain(pipeline: &gst::Pipeline, elements: &[gst::Element]) -> Result<()> {
    for element in elements.iter().filter(|e| e.parent().is_none()) {
        pipeline.add(element).map_err(|e| cannot_build(&e))?;
    }
    gst::Element::link_many(elements).map_err(|e| cannot_build(&e))?;
    for element in elements.iter().rev() {
        element.sync_state_with_parent().map_err(|e| cannot_build(&e))?;
    }
    Ok(())
}

/// A pad that every element of this kind has.
pub(super) fn pad(element: &gst::Element, name: &str) -> Result<gst::Pad> {
    element
        .static_pad(name)
        .ok_or_else(|| Error::internal(format!("GStreamer's {} has no pad '{name}'", element.name())))
}

/// Where a stream goes that nobody wants.
pub(super) fn discard(pipeline: &gst::Pipeline, from: &gst::Pad) -> Result<()> {
    let sink = make("fakesink", &[("sync", "false"), ("async", "false")])?;
    pipeline.add(&sink).map_err(|e| cannot_build(&e))?;
    sink.sync_state_with_parent().map_err(|e| cannot_build(&e))?;
    from.link(&pad(&sink, "sink")?).map_err(|e| cannot_build(&e))?;
    Ok(())
}

/// Says that frames may come to this pad with borders between their lines, as decoders have them. They would be copied
/// else.
pub(super) fn take_padded(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, info| match info.query_mut().map(|q| q.view_mut()) {
        Some(gst::QueryViewMut::Allocation(asked)) => {
            asked.add_allocation_meta::<gst_video::VideoMeta>(None);
            gst::PadProbeReturn::Handled
        }
        _ => gst::PadProbeReturn::Ok,
    });
}

pub(super) fn cannot_build(error: &dyn std::fmt::Display) -> Error {
    Error::internal(format!("cannot build the GStreamer pipeline: {error}"))
}
