//! Brands: the look and the sound that are put on films, kept in files of their own beside a profile.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Bumper, Color, Gain, Interval, Narration, Percent};
use crate::{
    digest::{Digest, Hasher},
    error::{Doing, Error, Result},
};

/// What a file of a brand may be large, at most: it is read for its digest whenever a profile is.
const LARGEST: u64 = 512 << 20;

/// A look and a sound. They are applied in this order: grade, effects, logo, texts, subtitles; music and narration are mixed
/// with the film's sound before its loudness is measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "damctl brand")]
pub struct Brand {
    /// A picture in a corner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<Logo>,
    /// Colors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<Grade>,
    /// Sharpness and shade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<Effects>,
    /// Lower thirds and the like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<Caption>,
    /// Subtitles that become part of the picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtitles: Option<Subtitles>,
    /// Music below the film's own sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub music: Option<Music>,
    /// A voice above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narration: Option<Narration>,
    /// A clip before the film.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intro: Option<Bumper>,
    /// A clip after the film.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outro: Option<Bumper>,
    /// What is beside and behind clips that are not of the film's shape. Left out: black.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Color>,
}

/// A file of a brand: in YAML its path, from the brand's own file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "WrittenPiece")]
pub struct Piece {
    /// Where it is.
    pub path: PathBuf,
    /// What it holds, as it was planned with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
}

/// The path of a file; in orders, with the SHA-256 of what it held when it was planned with.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected the path of a file")]
enum WrittenPiece {
    Path(PathBuf),
    Known {
        path: PathBuf,
        #[schemars(with = "Option<String>")]
        sha256: Option<Digest>,
    },
}

impl From<WrittenPiece> for Piece {
    fn from(written: WrittenPiece) -> Self {
        match written {
            WrittenPiece::Path(path) => Self { path, sha256: None },
            WrittenPiece::Known { path, sha256 } => Self { path, sha256 },
        }
    }
}

impl JsonSchema for Piece {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Piece".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        WrittenPiece::json_schema(generator)
    }
}

/// A picture in a corner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Logo {
    /// A picture of any format that masters can have; its alpha counts.
    pub file: Piece,
    /// Which corner.
    #[serde(default)]
    pub corner: Corner,
    /// Its width, of the film's.
    #[serde(default = "tenth")]
    pub width: Percent,
    /// How far it stands from both edges, of the film's shorter side.
    #[serde(default = "twentieth")]
    pub margin: Percent,
    /// How much of it is seen.
    #[serde(default = "whole")]
    pub opacity: Percent,
}

/// A corner of the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Corner {
    /// Above, on the left.
    TopLeft,
    /// Above, on the right.
    #[default]
    TopRight,
    /// Below, on the left.
    BottomLeft,
    /// Below, on the right.
    BottomRight,
}

/// Colors. Brightness, contrast, saturation and hue work on BT.709 Y'CbCr; the table, on what they give.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grade {
    /// -1 to 1, added to luma; 0 leaves it.
    #[serde(default)]
    pub brightness: f64,
    /// 0 to 2, times luma above black; 1 leaves it.
    #[serde(default = "one")]
    pub contrast: f64,
    /// 0 (gray) to 3; 1 leaves it.
    #[serde(default = "one")]
    pub saturation: f64,
    /// -180 to 180 degrees.
    #[serde(default)]
    pub hue: f64,
    /// A table of colors: a `.cube` file of one or three dimensions, for R'G'B' of BT.709.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lut: Option<Piece>,
}

/// Sharpness and shade.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Effects {
    /// 0 to 2: how much of what a small blur takes away is added. 0 leaves it.
    pub sharpen: f64,
    /// The standard deviation of a Gaussian blur, of the picture's height: `0%` to `5%`.
    pub blur: Percent,
    /// How dark the corners are: `0%` to `100%`.
    pub vignette: Percent,
}

/// Words on the picture for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Caption {
    /// What it says; a line break begins a new line.
    pub text: String,
    /// When it comes. Left out: at the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Interval>,
    /// When it goes. Left out: at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Interval>,
    /// How it looks.
    #[serde(default)]
    pub style: Style,
}

/// How words look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Style {
    /// The family, of the fonts that are installed.
    pub font: String,
    /// Whether it is bold.
    pub bold: bool,
    /// Height of a line, of the picture's.
    pub size: Percent,
    /// The letters' color.
    pub color: Color,
    /// What is behind them. `none`: an outline of the letters instead.
    pub background: Color,
    /// The outline's color, where there is nothing behind.
    pub outline: Color,
    /// Where on the picture.
    pub place: Place,
    /// How far from the edges, of the picture's height.
    pub margin: Percent,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            font: "DejaVu Sans".to_owned(),
            bold: false,
            size: Percent(50),
            color: Color([255; 4]),
            background: Color([0; 4]),
            outline: Color([0, 0, 0, 255]),
            place: Place::Bottom,
            margin: Percent(50),
        }
    }
}

/// A place on the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Below, on the left.
    BottomLeft,
    /// Below, in the middle.
    #[default]
    Bottom,
    /// Below, on the right.
    BottomRight,
    /// In the middle of the left edge.
    Left,
    /// In the middle.
    Center,
    /// In the middle of the right edge.
    Right,
    /// Above, on the left.
    TopLeft,
    /// Above, in the middle.
    Top,
    /// Above, on the right.
    TopRight,
}

/// Subtitles that become part of the picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subtitles {
    /// SubRip (`.srt`), WebVTT (`.vtt`) or Advanced SubStation Alpha (`.ass`), whose own styles are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Piece>,
    /// In the place of a file: what is said in the master, as the archive knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<OwnWords>,
    /// How they look, where the file does not say.
    #[serde(default)]
    pub style: Style,
}

/// Which of the words that are known of a master.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OwnWords {
    /// In which language (BCP 47; `es` is all of Spanish). Left out: whatever is spoken. `en` where something else is spoken: its
    /// translation, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Who wrote them down.
    pub by: WordsBy,
    /// Of which sound track, counted from 1. Left out: the first that has words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track: Option<u32>,
}

/// Who wrote down what is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WordsBy {
    /// A person, or a model where no person did.
    #[default]
    Anybody,
    /// A person alone.
    Person,
}

/// Music below the film's own sound.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Music {
    /// A file with sound; it begins anew as often as the film is longer.
    pub file: Piece,
    /// How much it is turned down.
    #[serde(default = "gain_12")]
    pub gain: Gain,
    /// How much more, while somebody speaks.
    #[serde(default = "gain_10")]
    pub duck: Gain,
    /// How long it takes to come at the beginning, and to go at the end.
    #[serde(default = "second")]
    pub fade: Interval,
}

fn tenth() -> Percent {
    Percent(100)
}
fn twentieth() -> Percent {
    Percent(50)
}
fn whole() -> Percent {
    Percent(1000)
}
fn one() -> f64 {
    1.0
}
fn gain_12() -> Gain {
    Gain(-120)
}
pub(super) fn gain_10() -> Gain {
    Gain(-100)
}
fn second() -> Interval {
    Interval(1000)
}

impl Brand {
    /// Reads a brand's file. Errors name file, line and column.
    pub fn load(path: &Path) -> Result<Self> {
        let yaml = std::fs::read_to_string(path).doing(|| format!("cannot read the brand {}", path.display()))?;
        let origin = path.display();
        let mut brand: Self = serde_saphyr::from_str(&yaml).map_err(|e| {
            let place = e.location().map(|l| format!(":{}:{}", l.line(), l.column())).unwrap_or_default();
            let message = e.without_snippet().to_string();
            let message = message.split(" at line ").next().unwrap_or_default().trim().to_owned();
            Error::invalid(format!("{origin}{place}: {message}"))
        })?;
        brand.check().map_err(|why| Error::invalid(format!("{origin}: {why}")))?;
        // Workers may be started elsewhere.
        let path = std::path::absolute(path).doing(|| format!("cannot find the brand {}", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        for piece in brand.pieces_mut() {
            piece.place(folder).map_err(|e| Error::new(e.kind(), format!("{origin}: {}", e.one_line())))?;
        }
        Ok(brand)
    }

    /// Its files.
    pub fn pieces(&self) -> Vec<&Piece> {
        let lut = self.grade.as_ref().and_then(|g| g.lut.as_ref());
        let all = [
            self.logo.as_ref().map(|l| &l.file),
            lut,
            self.subtitles.as_ref().and_then(|s| s.file.as_ref()),
            self.music.as_ref().map(|m| &m.file),
            self.narration.as_ref().and_then(|n| n.file.as_ref()),
            self.narration.as_ref().and_then(|n| n.script.as_ref()),
            self.intro.as_ref().map(|clip| &clip.file),
            self.outro.as_ref().map(|clip| &clip.file),
        ];
        all.into_iter().flatten().collect()
    }

    fn pieces_mut(&mut self) -> Vec<&mut Piece> {
        let lut = self.grade.as_mut().and_then(|g| g.lut.as_mut());
        let (file, script) = self.narration.as_mut().map_or((None, None), |n| (n.file.as_mut(), n.script.as_mut()));
        let all = [
            self.logo.as_mut().map(|l| &mut l.file),
            lut,
            self.subtitles.as_mut().and_then(|s| s.file.as_mut()),
            self.music.as_mut().map(|m| &mut m.file),
            file,
            script,
            self.intro.as_mut().map(|clip| &mut clip.file),
            self.outro.as_mut().map(|clip| &mut clip.file),
        ];
        all.into_iter().flatten().collect()
    }

    /// What of it changes the output: what its files hold, not where they are.
    pub(super) fn recipe(&self) -> String {
        let mut brand = self.clone();
        if let Some(spoken) = brand.narration.as_mut().filter(|n| n.tts.is_some()) {
            // The words and who speaks them are; what was made of them follows from these.
            spoken.file = None;
        }
        for piece in brand.pieces_mut() {
            piece.path = PathBuf::new();
        }
        serde_json::to_string(&brand).unwrap_or_default()
    }

    /// Whether the sound is changed.
    pub fn has_sound(&self) -> bool {
        self.music.is_some() || self.narration.is_some()
    }

    /// Finds one of its files, named from a folder, and says what it holds.
    pub fn place(&mut self, which: impl Fn(&mut Self) -> Option<&mut Piece>, folder: &Path) -> Result<()> {
        match which(self) {
            Some(piece) => piece.place(folder),
            None => Ok(()),
        }
    }

    /// The clips around the film.
    pub fn clips(&self) -> impl Iterator<Item = &Bumper> {
        self.intro.iter().chain(&self.outro)
    }

    /// What is beside and behind clips of another shape.
    pub fn background(&self) -> [u8; 3] {
        self.background.map_or([0; 3], Color::rgb)
    }

    /// Refuses what cannot work, saying what was expected.
    pub fn check(&self) -> Result<(), String> {
        super::film::check_background(self.background)?;
        let within = |what: &str, value: f64, low: f64, high: f64| match value >= low && value <= high {
            true => Ok(()),
            false => Err(format!("{what} {value} was given, expected {low} to {high}")),
        };
        let share = |what: &str, value: Percent, low: f64, high: f64| match within(what, value.value(), low, high) {
            Ok(()) => Ok(()),
            Err(_) => Err(format!("{what} {value} was given, expected {low}% to {high}%")),
        };
        if let Some(logo) = &self.logo {
            share("logo: width", logo.width, 1.0, 100.0)?;
            share("logo: margin", logo.margin, 0.0, 40.0)?;
            share("logo: opacity", logo.opacity, 1.0, 100.0)?;
        }
        if let Some(grade) = &self.grade {
            within("grade: brightness", grade.brightness, -1.0, 1.0)?;
            within("grade: contrast", grade.contrast, 0.0, 2.0)?;
            within("grade: saturation", grade.saturation, 0.0, 3.0)?;
            within("grade: hue", grade.hue, -180.0, 180.0)?;
        }
        if let Some(effects) = &self.effects {
            within("effects: sharpen", effects.sharpen, 0.0, 2.0)?;
            share("effects: blur", effects.blur, 0.0, 5.0)?;
            share("effects: vignette", effects.vignette, 0.0, 100.0)?;
        }
        for caption in &self.texts {
            let (from, to) = (caption.from.map_or(0, |i| i.0), caption.to.map_or(u32::MAX, |i| i.0));
            if caption.text.trim().is_empty() || caption.text.len() > 2000 {
                return Err("texts: a text is 1 to 2000 bytes".to_owned());
            }
            if from >= to {
                return Err(format!(
                    "texts: '{}' goes before it comes",
                    caption.text.lines().next().unwrap_or_default()
                ));
            }
            caption.style.check("texts")?;
        }
        if let Some(subtitles) = &self.subtitles {
            subtitles.style.check("subtitles")?;
            match (&subtitles.file, &subtitles.transcript) {
                (None, None) => return Err("subtitles: expected a 'file', or the master's own 'transcript'".to_owned()),
                // Once they are known, they have one, with its digest.
                (Some(file), Some(_)) if file.sha256.is_none() => {
                    return Err("subtitles: a 'file' and a 'transcript' were given, expected one of the two".to_owned());
                }
                _ => {}
            }
            if let Some(language) = subtitles.transcript.as_ref().and_then(|t| t.language.as_ref()) {
                super::check_language(language).map_err(|why| format!("subtitles: {why}"))?;
            }
        }
        let turned = |what: &str, gain: Gain, most: i32| match (-600..=most).contains(&gain.0) {
            true => Ok(()),
            false => Err(format!("{what} {gain} was given, expected -60 dB to {} dB", most / 10)),
        };
        if let Some(music) = &self.music {
            turned("music: gain", music.gain, 120)?;
            turned("music: duck", music.duck, 0)?;
        }
        if let Some(narration) = &self.narration {
            narration.check()?;
            turned("narration: gain", narration.gain, 240)?;
            turned("narration: duck", narration.duck, 0)?;
        }
        Ok(())
    }

    /// The JSON schema of the file, for editors.
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Brand).to_value()
    }
}

impl Style {
    fn check(&self, of: &str) -> Result<(), String> {
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '.' | '_');
        if self.font.is_empty() || self.font.len() > 100 || !self.font.chars().all(is_name) {
            return Err(format!("{of}: '{}' is no name of a font", self.font));
        }
        match (10..=500).contains(&self.size.0) && self.margin.0 <= 400 {
            true => Ok(()),
            false => Err(format!(
                "{of}: size {} and margin {} were given, expected 1% to 50% and 0% to 40%",
                self.size, self.margin
            )),
        }
    }
}

impl Piece {
    /// A file as it is now.
    pub fn known(path: PathBuf) -> Result<Self> {
        let mut piece = Self { path, sha256: None };
        piece.sha256 = Some(piece.digest()?);
        Ok(piece)
    }

    /// Named from a folder, with what it holds.
    fn place(&mut self, folder: &Path) -> Result<()> {
        self.path = folder.join(&self.path);
        self.sha256 = Some(self.digest()?);
        Ok(())
    }

    /// An error when it is not what it was planned with.
    pub fn check(&self) -> Result<()> {
        match self.sha256 {
            Some(known) if known != self.digest()? => Err(Error::invalid(format!(
                "the brand's file {} is not the one that was planned with",
                self.path.display()
            ))
            .hint("run the same command again: the profile is read anew")),
            _ => Ok(()),
        }
    }

    fn digest(&self) -> Result<Digest> {
        let cannot = || format!("cannot read the brand's file {}", self.path.display());
        let length = std::fs::metadata(&self.path).doing(cannot)?;
        if !length.is_file() || length.len() > LARGEST {
            return Err(Error::invalid(format!("{}: it is no file of {} MB at most", cannot(), LARGEST >> 20)));
        }
        let file = std::fs::File::open(&self.path).doing(cannot)?;
        Hasher::read_all(file, |_| Ok(())).map(|(digest, _)| digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MediaKind;
    use crate::profile::{Entry, Profile};

    const PROFILE: &str = "video:\n  social:\n    mp4: { video: { bitrate: 2M } }\n    brand: brands/news.yaml\n  plain:\n    mp4: { video: { bitrate: 2M } }\n";

    fn folder(brand: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("brands")).unwrap();
        std::fs::write(dir.path().join("profile.yaml"), PROFILE).unwrap();
        std::fs::write(dir.path().join("brands/news.yaml"), brand).unwrap();
        std::fs::write(dir.path().join("brands/logo.png"), "one").unwrap();
        dir
    }

    fn entries(dir: &Path) -> Vec<Entry> {
        Profile::load(&dir.join("profile.yaml")).unwrap().wanted(MediaKind::Video).to_vec()
    }

    #[test]
    fn a_brand_is_part_of_the_recipe_by_what_its_files_hold_and_not_by_where_they_are() {
        let brand = "logo: { file: logo.png }\ngrade: { contrast: 1.1 }\n";
        let (here, there) = (folder(brand), folder(brand));
        let [plain, social] = &entries(here.path())[..] else { panic!() };
        assert_ne!(plain.recipe(), social.recipe());
        assert_eq!(entries(there.path())[1].recipe(), social.recipe());
        // Written into a job and read again, it is the same.
        let again: Entry = serde_json::from_str(&serde_json::to_string(social).unwrap()).unwrap();
        assert_eq!((again.recipe(), &again), (social.recipe(), social));
        std::fs::write(there.path().join("brands/logo.png"), "two").unwrap();
        assert_ne!(entries(there.path())[1].recipe(), social.recipe());
        assert_eq!(entries(there.path())[0].recipe(), plain.recipe());
        // And a job that was planned with the other file says so.
        std::fs::write(here.path().join("brands/logo.png"), "two").unwrap();
        let told = social.brand.as_ref().unwrap().pieces()[0].check().unwrap_err().one_line();
        assert!(told.contains("logo.png is not the one that was planned with"), "{told}");
    }

    #[test]
    fn the_example_is_sound() {
        Brand::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles/brands/example.yaml")).unwrap();
    }

    #[test]
    fn what_is_wrong_with_a_brand_is_told_with_its_place() {
        for (brand, why) in [
            ("logo: { file: gone.png }\n", "gone.png"),
            ("logo: { file: logo.png, width: 150% }\n", "'150%' was given, expected a share such as 10%"),
            ("grade: { contrast: 9 }\n", "grade: contrast 9 was given, expected 0 to 2"),
            ("grade:\n  contrst: 1\n", "news.yaml:2:3"),
            ("texts: [{ text: a, from: 3s, to: 2s }]\n", "'a' goes before it comes"),
            ("texts: [{ text: a, style: { font: 'x,1,{' } }]\n", "is no name of a font"),
            ("music: { file: logo.png, duck: 3 dB }\n", "music: duck 3 dB was given"),
        ] {
            let dir = folder(brand);
            let e = Profile::load(&dir.path().join("profile.yaml")).err().unwrap().one_line();
            assert!(e.contains(why) && e.contains("profile.yaml:3:5: video entry 'social'"), "{e}");
        }
        let yaml = "video:\n  poster:\n    jpeg: {}\n    brand: x.yaml\n";
        let e = Profile::parse(yaml, "p.yaml").err().unwrap().one_line();
        assert!(e.contains("a brand is put on films"), "{e}");
    }
}
