//! What a film must look like: codec, depth, shape, colors, pace, sound and timecode, as its entry asks for them.

use super::{Gate, Told, What, frame_ms, refused, same};
use crate::{
    error::{Error, Result},
    model::{FieldOrder, MediaFacts, Range, VideoFacts},
    profile::{Codec, Entry, Film, FrameRate, Hdr, Interlaced, Mezzanine, MezzanineCodec, MezzanineProfile},
};

/// How pictures must be coded.
pub(super) struct Looks<'a> {
    /// As ffprobe names it.
    pub(super) codec: &'a str,
    pub(super) pixel_format: &'a str,
    pub(super) field_order: FieldOrder,
    /// Matrix, primaries and transfer function.
    pub(super) colors: [Option<&'a str>; 3],
}

const BT709: [Option<&str>; 3] = [Some("bt709"); 3];

impl Looks<'_> {
    /// What every player can show: H.264, 8 bit 4:2:0, progressive, BT.709.
    pub(super) fn web() -> Self {
        Self { codec: "h264", pixel_format: "yuv420p", field_order: FieldOrder::Progressive, colors: BT709 }
    }
}

/// The pictures of a film, if they are as they must be: square pixels, upright, of limited range and the rest.
pub(super) fn pictures<'a>(facts: &'a MediaFacts, looks: &Looks<'_>) -> Result<&'a VideoFacts> {
    let video = facts.video.as_ref().ok_or_else(|| refused("it has no picture".to_owned()))?;
    same("the codec", video.codec.as_str(), looks.codec)?;
    same("the pixel format", video.pixel_format.as_str(), looks.pixel_format)?;
    same("the pixel aspect ratio", video.sar, (1, 1))?;
    same("the rotation", video.rotation, 0)?;
    same("the field order", video.field_order, looks.field_order)?;
    let [matrix, primaries, transfer] = looks.colors;
    same("the color matrix", video.matrix.as_deref(), matrix)?;
    same("the color primaries", video.primaries.as_deref(), primaries)?;
    same("the transfer function", video.transfer.as_deref(), transfer)?;
    // Limited range is what a stream has that does not say otherwise (H.264, E.2.1).
    same("the full range", video.range == Range::Full, false)?;
    Ok(video)
}

impl Gate<'_> {
    pub(super) fn film(&self, entry: &Entry, film: &Film, told: Told<'_>) -> Result<MediaFacts> {
        let sound = match entry.spec.film().map(|(_, format)| format.sound()) {
            Some(Codec::Opus) => "opus",
            _ => "aac",
        };
        self.moving(entry, &self.looks(film), film.frame_rate, sound, told)
    }

    /// How the pictures of a film must be coded.
    pub(super) fn looks(&self, film: &Film) -> Looks<'_> {
        let master = self.master.video.as_ref();
        let deep = film.video.depth_of(master.map_or(8, |v| v.bit_depth)) > 8;
        let kept = film.video.hdr == Some(Hdr::Keep) && deep && master.is_some_and(VideoFacts::is_hdr);
        Looks {
            codec: film.video.codec.as_str(),
            pixel_format: if deep { "yuv420p10le" } else { "yuv420p" },
            field_order: FieldOrder::Progressive,
            colors: match master {
                Some(master) if kept => [Some("bt2020nc"), Some("bt2020"), master.transfer.as_deref()],
                _ => BT709,
            },
        }
    }

    pub(super) fn mezzanine(&self, entry: &Entry, spec: &Mezzanine, told: Told<'_>) -> Result<MediaFacts> {
        let master = self.master.video.as_ref().ok_or_else(|| Error::internal("a mezzanine of no pictures"))?;
        let profile = spec.profile_of(master.bit_depth);
        let pixel_format = match (spec.codec, profile) {
            (MezzanineCodec::Prores, MezzanineProfile::FourFourFourFour) if master.alpha => "yuva444p12le",
            (MezzanineCodec::Prores, MezzanineProfile::FourFourFourFour) => "yuv444p12le",
            (MezzanineCodec::Prores, _) | (_, MezzanineProfile::Hqx) => "yuv422p10le",
            (_, MezzanineProfile::FourFourFour) => "yuv444p10le",
            _ => "yuv422p",
        };
        let codec = if spec.codec == MezzanineCodec::Prores { "prores" } else { "dnxhd" };
        let found = self.measured(entry)?;
        let found = found.video.as_ref();
        let flattened = master.alpha && profile != MezzanineProfile::FourFourFourFour;
        // What the master says of its colors is kept; what it does not say was settled when it was decoded.
        let kept = |said: &Option<String>, found: Option<&String>| match (said.as_deref(), found.map(String::as_str)) {
            _ if flattened => Some("bt709".to_owned()),
            (None, found) => found.map(str::to_owned),
            // One matrix and one curve under two names (BT.601).
            (Some("bt470bg" | "smpte170m"), Some(found @ ("bt470bg" | "smpte170m" | "bt709"))) => {
                Some(found.to_owned())
            }
            (Some(said), _) => Some(said.to_owned()),
        };
        let colors = [
            kept(&master.matrix, found.and_then(|f| f.matrix.as_ref())),
            kept(&master.primaries, found.and_then(|f| f.primaries.as_ref())),
            kept(&master.transfer, found.and_then(|f| f.transfer.as_ref())),
        ];
        let looks = Looks {
            codec,
            pixel_format,
            field_order: match spec.interlaced {
                Interlaced::Keep => master.field_order,
                Interlaced::Deinterlace => FieldOrder::Progressive,
            },
            colors: [colors[0].as_deref(), colors[1].as_deref(), colors[2].as_deref()],
        };
        if looks.colors.contains(&None) {
            return Err(refused("it does not say its colors".to_owned()));
        }
        let bits = spec.audio.as_ref().map_or(24, |audio| audio.bits);
        let facts = self.moving(entry, &looks, spec.frame_rate, &format!("pcm_s{bits}be"), told)?;
        self.timecode(&facts)?;
        let all = spec.audio.as_ref().is_some_and(|audio| audio.channels.is_none()) && self.rendered.mixed.is_none();
        if let (true, Some(first), Some(found)) = (all, self.master.audio.first(), facts.audio.first()) {
            same("the number of channels", found.channels, first.channels)?;
        }
        Ok(facts)
    }

    /// Pictures and sound in one file.
    fn moving(
        &self,
        entry: &Entry,
        looks: &Looks<'_>,
        rule: Option<FrameRate>,
        sound: &str,
        told: Told<'_>,
    ) -> Result<MediaFacts> {
        let mut facts = self.measured(entry)?;
        let container = match entry.spec.mime() {
            "video/webm" => "matroska,webm",
            "video/mp2t" => "mpegts",
            _ => "mov,mp4,m4a,3gp,3g2,mj2",
        };
        same("the container", facts.container.as_deref(), Some(container))?;
        let video = pictures(&facts, looks)?;
        self.size(entry, (video.width, video.height))?;
        self.paced(video, rule)?;
        let asked = entry.spec.sound();
        let wanted = usize::from(asked.is_some() && !self.master.audio.is_empty());
        same("the number of sound tracks", facts.audio.len(), wanted)?;
        if let (Some(track), Some(asked)) = (facts.audio.first(), &asked) {
            self.track(track, sound, asked)?;
        }
        self.ends_with_its_master(frame_ms(video))?;
        let decoded = match self.lists {
            Some(lists) => self.joined(lists, told)?,
            None => self.decode(What::Everything, told)?,
        };
        same("the number of frames", decoded.frames, self.rendered.frames)?;
        self.lasts(&facts, frame_ms(video))?;
        self.audible(&decoded)?;
        self.shows(&decoded)?;
        self.together()?;
        self.leveled(asked.and_then(|a| a.loudness), &decoded, &mut facts)?;
        Ok(facts)
    }

    /// Whether frames come as the rule says.
    fn paced(&self, video: &VideoFacts, rule: Option<FrameRate>) -> Result<()> {
        let master = self.master.video.as_ref();
        let even = match rule {
            Some(FrameRate::Most(..)) if master.is_none_or(|m| m.variable_rate || m.rate.0 == 0) => None,
            Some(rule) => rule.of(master.map_or((0, 1), |m| m.rate)),
            None => None,
        };
        let Some((n, d)) = even else { return Ok(()) };
        let (found, wanted) =
            (f64::from(video.rate.0) / f64::from(video.rate.1.max(1)), f64::from(n) / f64::from(d.max(1)));
        // An average over a short film, whose times are in ticks of the container, is a little off.
        let frames = self.rendered.frames.max(1) as f64;
        if (found / wanted - 1.0).abs() > 0.002 + 1.0 / frames {
            return Err(refused(format!("its frame rate is {found:.3}, not {wanted:.3}")));
        }
        let due = self.rendered.duration_ms as f64 / 1000.0 * wanted;
        match (frames - due).abs() <= 2.0 {
            true => Ok(()),
            false => Err(refused(format!("it has {frames} frames, not {due:.0}"))),
        }
    }

    /// Whether the timecode of a master is that of its mezzanine, as far as it makes sense at its frame rate.
    fn timecode(&self, facts: &MediaFacts) -> Result<()> {
        let same_rate = self.master.video.as_ref().map(|v| v.rate) == facts.video.as_ref().map(|v| v.rate);
        match (&self.master.timecode, &facts.timecode) {
            (Some(wanted), Some(found)) if same_rate => same("the timecode", &found.value, &wanted.value),
            _ => Ok(()),
        }
    }
}
