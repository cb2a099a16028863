//! Which files of a drive are one piece of media: a clip of a camera card with all that belongs to it, the chapters of
//! one recording, the frames of a sequence, a file and its sidecars.
//!
//! Told by names alone, for nothing has been read yet; so a rule takes only what its cameras and programs are known to
//! write, and leaves the rest by itself. Files that might belong to two others belong to none, and that is said.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
};

use crate::model::{RawPath, Role};

/// Files that become one asset.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    /// The main one first.
    pub(super) members: Vec<Member>,
}

/// A file in a group.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    /// Its place in the list that was grouped.
    pub(super) at: usize,
    pub(super) role: Role,
    /// What it is called in the asset.
    pub(super) name: String,
    /// What there is to say of it.
    pub(super) note: Option<String>,
}

/// Names as characters that stand for bytes, so that all of `str` can be used on any name.
struct File {
    at: usize,
    /// Folder, as written.
    dir: String,
    /// Name, as written.
    name: String,
    /// In upper case, without the extension.
    stem: String,
    /// In upper case.
    extension: String,
}

fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|b| char::from(*b)).collect()
}

impl File {
    fn new(at: usize, path: &RawPath) -> Self {
        let text = latin(path.as_bytes());
        let (dir, name) = text.rsplit_once('/').unwrap_or(("", &text));
        let (stem, extension) = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).unwrap_or((name, ""));
        let upper = str::to_ascii_uppercase;
        Self { at, stem: upper(stem), extension: upper(extension), dir: dir.to_owned(), name: name.to_owned() }
    }

    fn is(&self, extensions: &str) -> bool {
        extensions.split(' ').any(|e| e == self.extension)
    }
}

/// Groups files, given by their paths; every one of them is in one group.
pub(super) fn group(paths: &[&RawPath]) -> Vec<Group> {
    let mut work = Work { paths, groups: Vec::new() };
    let files: Vec<File> = paths.iter().enumerate().map(|(at, path)| File::new(at, path)).collect();
    let mut cards: BTreeMap<(String, Card), Vec<File>> = BTreeMap::new();
    let mut folders: BTreeMap<String, Vec<File>> = BTreeMap::new();
    for file in files {
        match Card::of(&file.dir) {
            Some((root, card)) => cards.entry((root, card)).or_default().push(file),
            None => folders.entry(file.dir.clone()).or_default().push(file),
        }
    }
    for ((root, card), files) in cards {
        if card.is_real(&root, &files) {
            work.card(&root, card, files);
        } else {
            files.into_iter().for_each(|file| folders.entry(file.dir.clone()).or_default().push(file));
        }
    }
    for files in folders.into_values() {
        let files = work.sequences(files);
        let files = work.chapters(files);
        work.sidecars(files);
    }
    work.groups.sort_by_key(|g| g.members.first().map_or(0, |m| m.at));
    work.groups
}

struct Work<'a> {
    paths: &'a [&'a RawPath],
    groups: Vec<Group>,
}

/// The structures that cameras write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Card {
    /// Panasonic P2: `CONTENTS/{CLIP,VIDEO,AUDIO,…}`.
    P2,
    /// AVCHD: `BDMV/{STREAM,CLIPINF,PLAYLIST}`.
    Avchd,
    /// Sony XDCAM EX: `BPAV/CLPR/CLIP/…`.
    XdcamEx,
    /// Sony XAVC (`M4ROOT`) and XDCAM discs (`XDROOT`): `CLIP`, `SUB`, `THMBNL`, `GENERAL`.
    Xavc,
}

impl Card {
    /// The card that a folder lies in, and where its structure begins.
    fn of(dir: &str) -> Option<(String, Card)> {
        let mut end = 0;
        for name in dir.split('/') {
            end += name.len();
            let card = match name.to_ascii_uppercase().as_str() {
                "CONTENTS" => Some(Card::P2),
                "BDMV" => Some(Card::Avchd),
                "BPAV" => Some(Card::XdcamEx),
                "M4ROOT" | "XDROOT" => Some(Card::Xavc),
                _ => None,
            };
            if let Some(card) = card {
                return Some((dir[..end].to_owned(), card));
            }
            end += 1;
        }
        None
    }

    /// Whether what lies below a folder of that name is what the camera writes.
    fn is_real(self, root: &str, files: &[File]) -> bool {
        let below = |file: &File| file.dir.get(root.len() + 1..).unwrap_or_default().to_ascii_uppercase();
        let has = |dir: &str, extensions: &str| {
            files.iter().any(|f| below(f).split('/').next() == Some(dir) && f.is(extensions))
        };
        match self {
            Card::P2 => has("CLIP", "XML") && (has("VIDEO", "MXF") || has("AVCLIP", "MXF")),
            Card::Avchd => has("STREAM", "MTS M2TS"),
            Card::XdcamEx => has("CLPR", "MP4 MXF SMI"),
            Card::Xavc => has("CLIP", "MP4 MXF"),
        }
    }

    /// The clip that a file is of, by its folder below the root (in upper case), and what it is to it. None: the card's
    /// own.
    fn clip(self, dir: &str, file: &File) -> Option<(String, Role)> {
        let stem = file.stem.as_str();
        // `C0001M01.XML` is of `C0001`: a letter and two digits.
        let base = |letters: &[char]| {
            let (name, tail) = stem.split_at_checked(stem.len().checked_sub(3)?)?;
            let is_tail = tail.starts_with(letters) && tail[1..].bytes().all(|b| b.is_ascii_digit());
            is_tail.then(|| name.to_owned())
        };
        let own = |role| Some((stem.to_owned(), role));
        match self {
            Card::P2 => match dir {
                "VIDEO" | "AVCLIP" => own(Role::Main),
                // `0001AB00.MXF` is the first track of clip `0001AB`.
                "AUDIO" | "VOICE" if stem.len() == 8 => Some((stem[..6].to_owned(), Role::Member)),
                "CLIP" | "ICON" | "PROXY" => own(Role::Sidecar),
                _ => None,
            },
            Card::Avchd => match dir {
                "STREAM" if file.is("MTS M2TS") => own(Role::Main),
                "CLIPINF" => own(Role::Sidecar),
                _ => None,
            },
            Card::XdcamEx => {
                let clip = dir.strip_prefix("CLPR/")?;
                let is_main = stem == clip && file.is("MP4 MXF");
                Some((clip.to_owned(), if is_main { Role::Main } else { Role::Sidecar }))
            }
            Card::Xavc => match dir {
                "CLIP" if file.is("MP4 MXF") => own(Role::Main),
                "CLIP" | "THMBNL" | "SUB" => base(&['M', 'T', 'S', 'R']).map(|name| (name, Role::Sidecar)),
                _ => None,
            },
        }
    }
}

/// Names of pictures as cameras and scanners write them.
const RAW: &str = "3FR ARW CR2 CR3 DNG ERF IIQ MEF MOS NEF NRW ORF PEF RAF RAW RW2 SRW X3F";
const PICTURE: &str = "AVIF BMP GIF HEIC HEIF JPEG JPG PNG PSD TIF TIFF WEBP";
const MOVING: &str = "3GP AVI DV F4V FLV INSV M2T M2TS M4V MKV MOD MOV MP4 MPEG MPG MTS MXF OGV R3D BRAW TS WEBM WMV";
const SOUND: &str = "AAC AIF AIFF BWF FLAC M4A MP3 OGG OPUS WAV WMA";

/// Each kind of sidecar, and what it may describe: the first kind of which there is one.
const SIDECARS: [(&str, &[&str]); 7] = [
    ("XMP", &[RAW, PICTURE, MOVING, SOUND]),
    ("AAE", &[PICTURE]),
    ("THM", &[MOVING, RAW]),
    ("LRV", &[MOVING]),
    ("MOI", &[MOVING]),
    ("SRT VTT SSA ASS", &[MOVING, SOUND]),
    ("NFO", &[MOVING, SOUND]),
];

/// Frames that no camera writes as single pictures, and those that some do.
const FRAMES: &str = "ARI CIN DPX EXR SGI TGA";
const PERHAPS_FRAMES: &str = "DNG JPEG JPG PNG TIF TIFF";
/// So many in a row make a sequence.
const ENOUGH: usize = 3;
const PERHAPS_ENOUGH: usize = 24;

impl Work<'_> {
    /// A file's name below a folder, as text.
    fn name(&self, at: usize, root: &str) -> String {
        let path = self.paths[at].as_bytes();
        let below = if root.is_empty() { path } else { path.get(root.len() + 1..).unwrap_or(path) };
        RawPath::new(OsStr::from_bytes(below)).to_string()
    }

    fn add(&mut self, root: &str, members: impl IntoIterator<Item = (File, Role)>) {
        let mut members: Vec<Member> = members
            .into_iter()
            .map(|(file, role)| Member { at: file.at, role, name: self.name(file.at, root), note: None })
            .collect();
        members.sort_by_key(|m| (m.role, m.at));
        // What is left of a clip whose main file is not here is led by what comes first.
        if let Some(first) = members.first_mut() {
            first.role = Role::Main;
            self.groups.push(Group { members });
        }
    }

    fn alone(&mut self, file: File, note: Option<String>) {
        let name = self.name(file.at, &file.dir);
        self.groups.push(Group { members: vec![Member { at: file.at, role: Role::Main, name, note }] });
    }

    /// A camera card: each clip, and what is the card's own.
    fn card(&mut self, root: &str, card: Card, files: Vec<File>) {
        let mut clips: BTreeMap<String, Vec<(File, Role)>> = BTreeMap::new();
        let mut own = Vec::new();
        for file in files {
            let dir = file.dir.get(root.len() + 1..).unwrap_or_default().to_ascii_uppercase();
            match card.clip(&dir, &file) {
                Some((clip, role)) => clips.entry(clip).or_default().push((file, role)),
                None => own.push((file, Role::Member)),
            }
        }
        for files in clips.into_values() {
            // Two main files of one name: nobody can tell what the others belong to.
            if files.iter().filter(|(_, role)| *role == Role::Main).count() > 1 {
                files.into_iter().for_each(|(file, _)| self.alone(file, None));
            } else {
                self.add(root, files);
            }
        }
        self.add(root, own);
    }

    /// Takes out sequences of frames: one prefix, one extension, numbers of one width without a gap.
    fn sequences(&mut self, files: Vec<File>) -> Vec<File> {
        let mut runs: BTreeMap<(String, String, usize), Vec<(u64, File)>> = BTreeMap::new();
        let mut rest = Vec::new();
        for file in files {
            let digits = file.stem.len() - file.stem.trim_end_matches(|c: char| c.is_ascii_digit()).len();
            let (prefix, number) = file.stem.split_at(file.stem.len() - digits);
            // Photographs have eight characters, of which four are digits (DCF); frames have more, or a dot before them.
            let is_photograph = file.stem.len() == 8 && !prefix.ends_with('.');
            let is_perhaps = file.is(PERHAPS_FRAMES) && !is_photograph && (digits >= 5 || prefix.ends_with('.'));
            let is_frame = file.is(FRAMES) || is_perhaps;
            match number.parse::<u64>() {
                Ok(n) if is_frame && digits >= 3 => {
                    let run = (prefix.to_owned(), file.extension.clone(), digits);
                    runs.entry(run).or_default().push((n, file));
                }
                _ => rest.push(file),
            }
        }
        for mut run in runs.into_values() {
            run.sort_by_key(|(n, f)| (*n, f.at));
            while !run.is_empty() {
                let row = run.windows(2).take_while(|w| w[1].0 == w[0].0 + 1).count() + 1;
                let row: Vec<File> = run.drain(..row).map(|(_, file)| file).collect();
                let enough = if row[0].is(FRAMES) { ENOUGH } else { PERHAPS_ENOUGH };
                if row.len() < enough {
                    rest.extend(row);
                    continue;
                }
                let dir = row[0].dir.clone();
                let first = row[0].at;
                let role = |f: File| if f.at == first { (f, Role::Main) } else { (f, Role::Member) };
                self.add(&dir, row.into_iter().map(role).collect::<Vec<_>>());
            }
        }
        rest.sort_by_key(|f| f.at);
        rest
    }

    /// Takes out recordings that a GoPro has cut into chapters: `GX010042.MP4`, `GX020042.MP4`, … and, of older ones,
    /// `GOPR0042.MP4`, `GP010042.MP4`, …, with their thumbnails and previews.
    fn chapters(&mut self, files: Vec<File>) -> Vec<File> {
        let mut takes: BTreeMap<(char, String), Vec<(u32, File)>> = BTreeMap::new();
        let mut rest = Vec::new();
        for file in files {
            match chapter(&file) {
                Some((codec, number, chapter)) => takes.entry((codec, number)).or_default().push((chapter, file)),
                None => rest.push(file),
            }
        }
        let mut previews: HashMap<String, Vec<(u32, File)>> = HashMap::new();
        takes.retain(|(codec, number), take| {
            let is_preview = *codec == 'L';
            if is_preview {
                previews.insert(number.clone(), std::mem::take(take));
            }
            !is_preview
        });
        for ((_, number), mut take) in takes {
            take.extend(previews.remove(&number).unwrap_or_default());
            take.sort_by_key(|(chapter, f)| (!f.is("MP4"), *chapter, f.at));
            let mut is_first = true;
            let members: Vec<(File, Role)> = take
                .into_iter()
                .map(|(_, file)| {
                    let role = match (file.is("MP4"), std::mem::take(&mut is_first)) {
                        (true, true) => Role::Main,
                        (true, false) => Role::Chapter,
                        _ => Role::Sidecar,
                    };
                    (file, role)
                })
                .collect();
            let dir = members[0].0.dir.clone();
            self.add(&dir, members);
        }
        rest.extend(previews.into_values().flatten().map(|(_, file)| file));
        rest
    }

    /// Pairs sidecars with what they describe; what is left is by itself.
    fn sidecars(&mut self, files: Vec<File>) {
        let (sidecars, others): (Vec<File>, Vec<File>) =
            files.into_iter().partition(|f| SIDECARS.iter().any(|(names, _)| f.is(names)));
        let mut by_stem: HashMap<&str, Vec<&File>> = HashMap::new();
        let mut by_name: HashMap<String, &File> = HashMap::new();
        for file in &others {
            by_stem.entry(&file.stem).or_default().push(file);
            by_name.insert(file.name.to_ascii_uppercase(), file);
        }
        let mut of: BTreeMap<usize, Vec<File>> = BTreeMap::new();
        let mut lonely = Vec::new();
        for sidecar in sidecars {
            match describes(&sidecar, &by_stem, &by_name) {
                Ok(Some(main)) => of.entry(main).or_default().push(sidecar),
                Ok(None) => lonely.push((sidecar, None)),
                Err(note) => lonely.push((sidecar, Some(note))),
            }
        }
        for file in others {
            match of.remove(&file.at) {
                Some(sidecars) => {
                    let dir = file.dir.clone();
                    let sidecars = sidecars.into_iter().map(|s| (s, Role::Sidecar));
                    self.add(&dir, std::iter::once((file, Role::Main)).chain(sidecars));
                }
                None => self.alone(file, None),
            }
        }
        lonely.into_iter().for_each(|(file, note)| self.alone(file, note));
    }
}

/// The file that a sidecar describes, by its place; an error says why that cannot be told.
fn describes(
    sidecar: &File,
    by_stem: &HashMap<&str, Vec<&File>>,
    by_name: &HashMap<String, &File>,
) -> Result<Option<usize>, String> {
    // `IMG_1.JPG.XMP` names its file in full.
    if let Some(file) = by_name.get(&sidecar.stem) {
        return Ok(Some(file.at));
    }
    let kinds = SIDECARS.iter().find(|(names, _)| sidecar.is(names)).map_or(&[][..], |(_, kinds)| kinds);
    // `FILM.EN.SRT` is of `FILM`.
    let language = |stem: &str| {
        let (stem, language) = stem.rsplit_once('.')?;
        matches!(language.len(), 2 | 3 | 5).then(|| stem.to_owned())
    };
    let stems = [Some(sidecar.stem.clone()), language(&sidecar.stem).filter(|_| sidecar.is("SRT VTT SSA ASS"))];
    for stem in stems.into_iter().flatten() {
        let Some(files) = by_stem.get(stem.as_str()) else { continue };
        for kind in kinds {
            let of_kind: Vec<&&File> = files.iter().filter(|f| f.is(kind)).collect();
            match of_kind.as_slice() {
                [] => {}
                [one] => return Ok(Some(one.at)),
                [one, other, ..] => {
                    return Err(format!("it may describe {} or {}: kept by itself", one.name, other.name));
                }
            }
        }
    }
    Ok(None)
}

/// Codec, number and chapter of a GoPro's file.
fn chapter(file: &File) -> Option<(char, String, u32)> {
    let stem = file.stem.as_str();
    if !file.is("MP4 LRV THM XMP SRT") || stem.len() != 8 || !stem.is_ascii() {
        return None;
    }
    let (head, number) = stem.split_at(4);
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(number) {
        return None;
    }
    if head == "GOPR" {
        return Some(('P', number.to_owned(), 0));
    }
    let codec = head.chars().nth(1).filter(|c| head.starts_with('G') && "HXPL".contains(*c))?;
    let chapter = &head[2..];
    is_number(chapter).then(|| Some((codec, number.to_owned(), chapter.parse().ok()?))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups as text: names with the first letter of their role, the files of a group joined.
    fn grouped(paths: &[&str]) -> Vec<String> {
        let paths: Vec<RawPath> = paths.iter().map(RawPath::new).collect();
        let groups = group(&paths.iter().collect::<Vec<_>>());
        let count: usize = groups.iter().map(|g| g.members.len()).sum();
        assert_eq!(count, paths.len(), "every file is in one group");
        let member = |m: &Member| format!("{}:{}", m.role.as_str(), m.name);
        groups.iter().map(|g| g.members.iter().map(member).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn the_clips_of_cards_are_assets_with_all_that_belongs_to_them() {
        let p2 = ["CLIP/0001AB.XML", "VIDEO/0001AB.MXF", "AUDIO/0001AB00.MXF", "AUDIO/0001AB01.MXF", "LASTCLIP.TXT"];
        let p2: Vec<String> = p2.iter().map(|p| format!("card/CONTENTS/{p}")).collect();
        let p2: Vec<&str> = p2.iter().map(String::as_str).collect();
        assert_eq!(
            grouped(&p2),
            [
                "main:VIDEO/0001AB.MXF member:AUDIO/0001AB00.MXF member:AUDIO/0001AB01.MXF sidecar:CLIP/0001AB.XML",
                "main:LASTCLIP.TXT"
            ]
        );
        let avchd = ["BDMV/INDEX.BDM", "BDMV/MOVIEOBJ.BDM", "BDMV/STREAM/00000.MTS", "BDMV/STREAM/00001.MTS"];
        let avchd = [&avchd[..], &["BDMV/CLIPINF/00000.CPI", "BDMV/PLAYLIST/00000.MPL"]].concat();
        assert_eq!(
            grouped(&avchd),
            [
                "main:INDEX.BDM member:MOVIEOBJ.BDM member:PLAYLIST/00000.MPL",
                "main:STREAM/00000.MTS sidecar:CLIPINF/00000.CPI",
                "main:STREAM/00001.MTS"
            ]
        );
        let ex =
            ["BPAV/MEDIAPRO.XML", "BPAV/CLPR/709_0001_01/709_0001_01.MP4", "BPAV/CLPR/709_0001_01/709_0001_01.SMI"];
        let ex = [&ex[..], &["BPAV/CLPR/709_0001_01/709_0001_01M01.XML"]].concat();
        assert_eq!(
            grouped(&ex),
            [
                "main:MEDIAPRO.XML",
                "main:CLPR/709_0001_01/709_0001_01.MP4 sidecar:CLPR/709_0001_01/709_0001_01.SMI \
                 sidecar:CLPR/709_0001_01/709_0001_01M01.XML"
            ]
        );
        let xavc = ["CLIP/C0001.MP4", "CLIP/C0001M01.XML", "THMBNL/C0001T01.JPG", "SUB/C0001S03.MP4", "MEDIAPRO.XML"];
        let xavc: Vec<String> = xavc.iter().map(|p| format!("PRIVATE/M4ROOT/{p}")).collect();
        assert_eq!(
            grouped(&xavc.iter().map(String::as_str).collect::<Vec<_>>()),
            [
                "main:CLIP/C0001.MP4 sidecar:CLIP/C0001M01.XML sidecar:THMBNL/C0001T01.JPG sidecar:SUB/C0001S03.MP4",
                "main:MEDIAPRO.XML"
            ]
        );
    }

    #[test]
    fn a_folder_that_is_only_called_like_a_card_is_none() {
        assert_eq!(grouped(&["contents/photos/a.jpg", "contents/photos/b.jpg", "X.app/Contents/Info.plist"]).len(), 3);
    }

    #[test]
    fn a_recording_in_chapters_is_one_asset() {
        let files = ["GL010042.LRV", "GX010042.MP4", "GX010042.THM", "GX010043.MP4", "GX020042.MP4"];
        assert_eq!(
            grouped(&files),
            ["main:GX010042.MP4 chapter:GX020042.MP4 sidecar:GL010042.LRV sidecar:GX010042.THM", "main:GX010043.MP4"]
        );
        assert_eq!(grouped(&["GOPR0042.MP4", "GP010042.MP4"]), ["main:GOPR0042.MP4 chapter:GP010042.MP4"]);
    }

    #[test]
    fn frames_without_a_gap_are_a_sequence_and_photographs_are_not() {
        assert_eq!(
            grouped(&["a.0001.dpx", "a.0002.dpx", "a.0003.dpx", "a.0005.dpx"]),
            ["main:a.0001.dpx member:a.0002.dpx member:a.0003.dpx", "main:a.0005.dpx"]
        );
        for camera in ["IMG_", "DSC0", "P101"] {
            let photographs: Vec<String> = (1..60).map(|n| format!("{camera}{n:04}.JPG")).collect();
            assert_eq!(grouped(&photographs.iter().map(String::as_str).collect::<Vec<_>>()).len(), 59, "{camera}");
        }
        let renders: Vec<String> = (1..60).map(|n| format!("shot.{n:04}.png")).collect();
        assert_eq!(grouped(&renders.iter().map(String::as_str).collect::<Vec<_>>()).len(), 1);
    }

    #[test]
    fn sidecars_go_with_what_they_describe_and_doubt_is_told() {
        assert_eq!(
            grouped(&["a.mov", "a.xmp", "b.jpg", "b.jpg.xmp", "film.EN.srt", "film.mp4", "notes.srt"]),
            [
                "main:a.mov sidecar:a.xmp",
                "main:b.jpg sidecar:b.jpg.xmp",
                "main:film.mp4 sidecar:film.EN.srt",
                "main:notes.srt"
            ]
        );
        // The raw file, not the picture that the camera made of it; and neither is part of the other.
        assert_eq!(grouped(&["c.CR2", "c.JPG", "c.xmp"]), ["main:c.CR2 sidecar:c.xmp", "main:c.JPG"]);
        let paths = ["d.jpg", "d.tif", "d.xmp"].map(RawPath::new);
        let groups = group(&paths.iter().collect::<Vec<_>>());
        assert_eq!(groups[2].members[0].note.as_deref(), Some("it may describe d.jpg or d.tif: kept by itself"));
    }

    #[test]
    fn names_that_are_not_utf_8_are_grouped_like_others() {
        let name = |tail: &str| RawPath::new(OsStr::from_bytes(&[b"caf\xe9", tail.as_bytes()].concat()));
        let groups = group(&[&name(".mov"), &name(".xmp")]);
        assert_eq!(groups[0].members[1].name, "caf%E9.xmp");
    }
}
