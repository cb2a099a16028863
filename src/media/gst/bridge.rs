//! What GStreamer has no decoder for, or shows in wrong colors, is decoded by ffmpeg first: to a lossless file beside the
//! outputs, which then takes the master's place.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    error::{DISK_FULL, Error, Result},
    media::{
        Work,
        probe::{self, file_url},
    },
    model::{MediaFacts, Range},
};

/// The decoded file; removed when this is dropped.
pub(super) struct Bridge {
    path: PathBuf,
    facts: MediaFacts,
}

impl Drop for Bridge {
    fn drop(&mut self) {
        std::fs::remove_file(&self.path).ok();
    }
}

/// Whether GStreamer 1.22 is known to show such pictures wrongly, without a word: QuickTime's demuxer loses palettes, and
/// takes some uncompressed pictures for others.
pub(super) fn is_shown_wrongly(facts: &MediaFacts) -> bool {
    let Some(video) = &facts.video else { return false };
    let format = video.pixel_format.as_str();
    match video.codec.as_str() {
        "v308" => true,
        "rawvideo" => format.contains("555") || format.contains("565") || format.starts_with("pal"),
        _ => format == "pal8" || format.starts_with("mono"),
    }
}

impl Bridge {
    /// Decodes the pictures and all sound of a master.
    pub(super) fn build(work: &Work<'_>, progress: &mut dyn FnMut(f64)) -> Result<Self> {
        let path = work.out_dir.join(".decoded.mov");
        let mut bridge = Self { path, facts: work.facts.clone() };
        bridge.facts.container = Some("mov".to_owned());
        let mut command = Command::new("ffmpeg");
        command.args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-y"]);
        // Turning is done later, by what was probed.
        command.args(["-protocol_whitelist", "file,pipe", "-noautorotate", "-i"]).arg(file_url(work.input));
        command.args(["-map", "0:V:0?", "-map", "0:a?", "-map_metadata", "-1", "-fps_mode", "passthrough"]);
        // Of later levels GStreamer 1.22 loses the header in this container, which alone keeps times as they are.
        command.args(["-c:v", "ffv1", "-level", "1", "-g", "1", "-c:a", "pcm_s24le"]);
        if let Some(video) = &mut bridge.facts.video {
            let format = std::mem::replace(&mut video.codec, "ffv1".to_owned());
            let coded = (format.as_str(), video.pixel_format.as_str());
            let simple = match coded {
                (_, p) if p == "pal8" || p.starts_with("mono") || p.contains("555") || p.contains("565") => {
                    Some("bgr0")
                }
                // FFV1's decoder in GStreamer 1.22 crashes on deep grays.
                (_, "gray" | "gray8") => Some("yuv420p"),
                (_, p) if p.starts_with("gray") => Some("yuv420p10le"),
                // Nor does it know alpha beside 4:2:2 and 4:4:4 of 8 bits, or 16 bits.
                (_, "yuva444p" | "yuva422p") => Some("bgra"),
                (_, "ayuv64le") => Some("gbrap10le"),
                (_, "yuv440p") => Some("yuv444p"),
                (_, p) if p.starts_with("rgba64") || p.starts_with("bgra64") => Some("gbrap10le"),
                (_, p) if p.starts_with("rgb48") || p.starts_with("bgr48") || p.starts_with("gbrp16") => {
                    Some("gbrp12le")
                }
                (_, p) if p.starts_with("yuv") && p.contains("p16") => Some("yuv444p12le"),
                _ => None,
            };
            if let Some(simple) = simple {
                video.range = Range::Unknown;
                simple.clone_into(&mut video.pixel_format);
                command.args(["-pix_fmt", simple]);
            }
        }
        command.args(["-progress", "pipe:1", "-stats_period", "1", "-f", "mov"]).arg(&bridge.path);
        let whole = work.facts.duration_ms.unwrap_or(0).max(1) as f64;
        let timeout = Duration::from_secs(work.limits.wall_seconds);
        let ran = probe::tool_heard(command, "ffmpeg", timeout, work.stop, &mut |piece| {
            let us = piece.lines().rev().find_map(|l| l.strip_prefix("out_time_us=")?.trim().parse::<u64>().ok());
            if let Some(us) = us {
                progress((us as f64 / 1000.0 / whole).clamp(0.0, 1.0));
            }
        })?;
        let said = ran.stderr.lines().last().unwrap_or_default().trim().to_owned();
        if ran.stderr.contains("No space left on device") {
            return Err(Error::paused("there is no room for the decoded recording").hint(DISK_FULL));
        }
        match ran.status.success() {
            true => Ok(bridge),
            false => Err(Error::unsupported(format!("ffmpeg cannot decode it: {said}"))),
        }
    }

    /// The same work, on the decoded file.
    pub(super) fn work<'a>(&'a self, of: &Work<'a>) -> Work<'a> {
        let input: &Path = &self.path;
        Work {
            input,
            facts: &self.facts,
            outputs: of.outputs.clone(),
            out_dir: of.out_dir,
            limits: of.limits,
            stop: of.stop,
            part: of.part,
            clips: of.clips,
        }
    }
}
