//! What an entry can ask for. Every default is spelled out here, once, and becomes part of the recipe digest.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Brand, Codec, Downmix, EncoderKind, Exact, Film, FilmFormat, Lossless, Lossy, Mezzanine, Position, Scenes, Sound,
    Sprite, Still, Stream, Waveform,
};
use crate::model::{MediaKind, media_type};

/// The output format and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Spec {
    /// A fast-start MP4: H.264, H.265, VP9 or AV1, and AAC.
    Mp4(Film),
    /// An MP3 of constant bit rate.
    Mp3(Lossy),
    /// A WAV of linear PCM; an RF64 where it would not fit into 4 GiB.
    Wav(Lossless),
    /// A JPEG picture.
    Jpeg(Still),
    /// A WebP picture; keeps alpha.
    Webp(Still),
    /// A PNG picture; keeps alpha, and every pixel.
    Png(Exact),
    /// An AVIF picture; keeps alpha.
    Avif(Still),
    /// A JPEG XL picture; keeps alpha.
    Jxl(Still),
    /// Sheets of small pictures to scrub through.
    Sprite(Sprite),
    /// One picture a scene.
    Scenes(Scenes),
    /// AAC-LC in a fast-start MP4 of sound alone.
    M4a(Lossy),
    /// Opus in Ogg.
    Opus(Lossy),
    /// AC-3 (Dolby Digital), an elementary stream.
    Ac3(Lossy),
    /// FLAC.
    Flac(Lossless),
    /// Peaks, and a picture of them.
    Waveform(Waveform),
    /// A ladder for HLS and DASH.
    Stream(Stream),
    /// WebM: VP9 or AV1, and Opus.
    Webm(Film),
    /// QuickTime: H.264 or H.265, and AAC.
    Mov(Film),
    /// One MP4 in fragments, each of which begins with a keyframe: it can be read while it grows.
    Fmp4(Film),
    /// An MPEG transport stream: H.264 or H.265, and AAC.
    Ts(Film),
    /// ProRes, DNxHD or DNxHR, and linear PCM, in QuickTime.
    Mezzanine(Mezzanine),
}

impl Spec {
    /// Changes whenever the same settings begin to give other output, so that plans see it.
    pub fn renderer_version(&self) -> &'static str {
        match self {
            Spec::Mp4(_) => "mp4/2",
            Spec::Mp3(_) => "mp3/1",
            Spec::Wav(_) => "wav/1",
            Spec::Jpeg(_) => "jpeg/1",
            Spec::Webp(_) => "webp/1",
            Spec::Png(_) => "png/1",
            Spec::Avif(_) => "avif/1",
            Spec::Jxl(_) => "jxl/1",
            Spec::Sprite(_) => "sprite/1",
            Spec::Scenes(_) => "scenes/1",
            Spec::M4a(_) => "m4a/1",
            Spec::Opus(_) => "opus/1",
            Spec::Ac3(_) => "ac3/1",
            Spec::Flac(_) => "flac/1",
            Spec::Waveform(_) => "waveform/1",
            Spec::Stream(_) => "stream/4",
            Spec::Webm(_) => "webm/1",
            Spec::Mov(_) => "mov/1",
            Spec::Fmp4(_) => "fmp4/1",
            Spec::Ts(_) => "ts/1",
            Spec::Mezzanine(_) => "mezzanine/1",
        }
    }

    /// The name of the file to open.
    pub fn file_name(&self, entry: &str) -> String {
        self.files(entry).into_iter().next().map_or_else(|| entry.to_owned(), |(name, _)| name)
    }

    /// The media type of the file to open.
    pub fn mime(&self) -> &'static str {
        self.files("").first().map_or(media_type(""), |(_, mime)| *mime)
    }

    /// The media type of one of its files.
    pub fn mime_of(&self, entry: &str, name: &str) -> &'static str {
        match self {
            Spec::Stream(s) => s.mime_of(name),
            Spec::Sprite(_) | Spec::Scenes(_) => media_type(name),
            _ => self.files(entry).into_iter().find(|(known, _)| known == name).map_or(self.mime(), |(_, mime)| mime),
        }
    }

    /// Whether the master decides how many files there are, beside those that [`files`](Self::files) names.
    pub fn is_open_ended(&self) -> bool {
        matches!(self, Spec::Stream(_) | Spec::Sprite(_) | Spec::Scenes(_))
    }

    /// Whether it is one still picture.
    pub fn is_still(&self) -> bool {
        self.still().is_some()
    }

    /// Where in a video its one picture is taken.
    pub fn at(&self) -> Option<Position> {
        self.still().map(|(_, _, at)| at)
    }

    /// Of one still picture: its limits, and where in a video it is taken.
    fn still(&self) -> Option<(Option<u32>, Option<u32>, Position)> {
        match self {
            Spec::Jpeg(s) | Spec::Webp(s) | Spec::Avif(s) | Spec::Jxl(s) => Some((s.max_width, s.max_height, s.at)),
            Spec::Png(s) => Some((s.max_width, s.max_height, s.at)),
            _ => None,
        }
    }

    /// All files that it makes, with their media types; of a stream, those to open, for its segments depend on the master.
    /// The first is the one to open.
    pub fn files(&self, entry: &str) -> Vec<(String, &'static str)> {
        let extension = match self {
            Spec::Mp4(_) | Spec::Fmp4(_) => "mp4",
            Spec::Webm(_) => "webm",
            Spec::Mov(_) | Spec::Mezzanine(_) => "mov",
            Spec::Ts(_) => "ts",
            Spec::Mp3(_) => "mp3",
            Spec::Wav(_) => "wav",
            Spec::Jpeg(_) => "jpg",
            Spec::Webp(_) => "webp",
            Spec::Png(_) => "png",
            Spec::Avif(_) => "avif",
            Spec::Jxl(_) => "jxl",
            Spec::Sprite(_) => "vtt",
            Spec::Scenes(_) => "json",
            Spec::M4a(_) => "m4a",
            Spec::Opus(_) => "opus",
            Spec::Ac3(_) => "ac3",
            Spec::Flac(_) => "flac",
            Spec::Waveform(w) => return w.files(entry),
            Spec::Stream(s) => return s.files(entry),
        };
        let name = format!("{entry}.{extension}");
        vec![(name.clone(), media_type(&name))]
    }

    /// What its sound is made of; none: it has no sound, or asks for none.
    pub fn sound(&self) -> Option<Sound> {
        if let Some((film, format)) = self.film() {
            return film.audio.as_ref().map(|audio| audio.sound(format.sound()));
        }
        match self {
            Spec::Mp3(s) => Some(s.sound(Codec::Mp3, Downmix::Full)),
            Spec::Wav(s) => Some(s.sound(Downmix::Full)),
            Spec::M4a(s) => Some(s.sound(Codec::Aac, Downmix::Itu)),
            Spec::Opus(s) => Some(s.sound(Codec::Opus, Downmix::Itu)),
            Spec::Ac3(s) => Some(s.sound(Codec::Ac3, Downmix::Itu)),
            Spec::Flac(s) => Some(s.sound(Downmix::Itu)),
            Spec::Waveform(w) => Some(w.sound()),
            Spec::Stream(s) => s.sound(),
            Spec::Mezzanine(m) => m.audio.as_ref().map(|audio| audio.sound(Downmix::Full)),
            _ => None,
        }
    }

    /// The film that it is, and the file that it is in.
    pub fn film(&self) -> Option<(&Film, FilmFormat)> {
        Some(match self {
            Spec::Mp4(film) => (film, FilmFormat::Mp4),
            Spec::Fmp4(film) => (film, FilmFormat::FragmentedMp4),
            Spec::Webm(film) => (film, FilmFormat::WebM),
            Spec::Mov(film) => (film, FilmFormat::QuickTime),
            Spec::Ts(film) => (film, FilmFormat::Transport),
            _ => return None,
        })
    }

    /// Refuses a brand where it cannot be put on.
    pub(super) fn takes_brand(&self) -> Result<(), String> {
        match self.film() {
            Some((film, _)) if film.video.depth_of(10) > 8 => {
                Err("a brand is put on films of 8 bits: leave 'depth: 10' out".to_owned())
            }
            Some(_) => Ok(()),
            None if matches!(self, Spec::Stream(_)) => Ok(()),
            None => Err("a brand is put on films: an mp4, webm, mov, fmp4, ts or stream".to_owned()),
        }
    }

    /// Refuses a brand whose sound has no place in it.
    pub(super) fn takes(&self, brand: &Brand) -> Result<(), String> {
        match brand.has_sound() && self.sound().is_none() {
            true => Err("its brand has music or narration, for which it needs 'audio'".to_owned()),
            false => Ok(()),
        }
    }

    /// Whether an encoder in hardware may make it.
    pub fn may_use_hardware(&self) -> bool {
        self.film().and_then(|(film, _)| film.video.encoder).is_some_and(|e| e != EncoderKind::Software)
    }

    /// Whether it is made of sound alone.
    pub fn is_sound(&self) -> bool {
        let is_sheet = matches!(self, Spec::Sprite(_) | Spec::Scenes(_));
        !(self.film().is_some() || self.is_still() || is_sheet || matches!(self, Spec::Stream(_) | Spec::Mezzanine(_)))
    }

    /// Takes out what says no more than its absence does, so that both have one recipe.
    pub(super) fn leave_out_usual(&mut self) {
        let (downmix, usual) = match self {
            Spec::Mp4(film) | Spec::Fmp4(film) | Spec::Webm(film) | Spec::Mov(film) | Spec::Ts(film) => {
                film.leave_out_usual();
                (film.audio.as_mut().map(|a| &mut a.downmix), Downmix::Full)
            }
            Spec::Stream(s) => {
                s.leave_out_usual();
                return;
            }
            Spec::Mezzanine(m) => {
                m.leave_out_usual();
                (m.audio.as_mut().map(|a| &mut a.downmix), Downmix::Full)
            }
            Spec::Jpeg(s) | Spec::Webp(s) | Spec::Avif(s) | Spec::Jxl(s) => {
                s.background = s.background.filter(|c| c.rgb() != [0; 3]);
                return;
            }
            Spec::Mp3(s) => (Some(&mut s.downmix), Downmix::Full),
            Spec::Wav(s) => (Some(&mut s.downmix), Downmix::Full),
            Spec::M4a(s) | Spec::Opus(s) | Spec::Ac3(s) => (Some(&mut s.downmix), Downmix::Itu),
            Spec::Flac(s) => (Some(&mut s.downmix), Downmix::Itu),
            Spec::Png(_) | Spec::Sprite(_) | Spec::Scenes(_) | Spec::Waveform(_) => return,
        };
        if let Some(downmix) = downmix {
            *downmix = downmix.filter(|d| *d != usual);
        }
    }

    /// The size of the output for a picture of this size: within the limits, aspect kept, never larger.
    pub fn fit(&self, size: (u32, u32)) -> (u32, u32) {
        let (max_width, max_height, even) = match self {
            Spec::Mp4(m) | Spec::Fmp4(m) | Spec::Webm(m) | Spec::Mov(m) | Spec::Ts(m) => {
                (m.max_width, m.max_height, true)
            }
            Spec::Mezzanine(m) => (m.max_width, m.max_height, true),
            Spec::Sprite(s) => (Some(s.tile_width), None, false),
            Spec::Scenes(s) => (s.max_width, s.max_height, false),
            other => match other.still() {
                Some((max_width, max_height, _)) => (max_width, max_height, false),
                None => return (0, 0),
            },
        };
        fit_within(size, max_width, max_height, even)
    }

    /// Refuses what cannot work, saying what was expected.
    pub(super) fn check(&self, kind: MediaKind) -> Result<(), String> {
        let pictures = matches!(kind, MediaKind::Video | MediaKind::Image | MediaKind::Animation);
        if let Some((film, format)) = self.film() {
            return film.check(format, kind);
        }
        match self {
            Spec::Mp3(s) => s.check("mp3", kind),
            Spec::M4a(s) => s.check("m4a", kind),
            Spec::Opus(s) => s.check("opus", kind),
            Spec::Ac3(s) => s.check("ac3", kind),
            Spec::Wav(s) => s.check("wav", kind),
            Spec::Flac(s) => s.check("flac", kind),
            Spec::Waveform(w) => w.check(kind),
            Spec::Stream(s) => s.check(kind),
            Spec::Mezzanine(m) => m.check(kind),
            Spec::Sprite(s) => s.check(kind),
            Spec::Scenes(s) => s.check(kind),
            Spec::Jpeg(_) | Spec::Webp(_) | Spec::Png(_) | Spec::Avif(_) | Spec::Jxl(_) if !pictures => {
                Err(format!("a picture cannot be made of an {kind} master: expected {}", possible(kind)))
            }
            Spec::Jpeg(s) | Spec::Webp(s) => s.check(kind, 0..=6),
            Spec::Avif(s) => s.check(kind, 0..=9),
            Spec::Jxl(s) => s.check(kind, 1..=9),
            Spec::Png(s) => s.check(),
            _ => Ok(()),
        }
    }
}

/// A size within these limits, aspect kept, never larger.
pub(super) fn fit_within(
    (width, height): (u32, u32),
    max_width: Option<u32>,
    max_height: Option<u32>,
    even: bool,
) -> (u32, u32) {
    let limit = |max: Option<u32>, is: u32| max.map_or(1.0, |m| f64::from(m) / f64::from(is.max(1)));
    let scale = limit(max_width, width).min(limit(max_height, height)).min(1.0);
    let scaled = |side: u32| {
        let side = f64::from(side) * scale;
        // Encoders of 4:2:0 need even sides, and x264 at least 16.
        if even { ((side / 2.0).round() as u32 * 2).max(16) } else { (side.round() as u32).max(1) }
    };
    (scaled(width), scaled(height))
}

pub(super) fn possible(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Video => {
            "mp4, webm, mov, fmp4, ts, mezzanine, stream, jpeg, webp, png, avif, jxl, sprite, scenes, mp3, m4a, opus, ac3, \
             wav, flac or waveform"
        }
        MediaKind::Audio => "mp3, m4a, opus, ac3, wav, flac or waveform",
        MediaKind::Animation => "mp4, webm, jpeg, webp, png, avif or jxl",
        MediaKind::Image => "jpeg, webp, png, avif or jxl",
        MediaKind::Sidecar | MediaKind::Other => "nothing",
    }
}
