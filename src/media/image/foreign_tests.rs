//! Pictures that other programs made, and ours as other programs see them.

use std::{path::PathBuf, process::Command};

use super::{samples::*, tests::*, *};
use crate::{error::Kind, profile::Entry};

/// A folder with a picture of fine and coarse detail in it, as `in.png`.
struct Studio {
    dir: tempfile::TempDir,
    picture: Pixels,
}

impl Studio {
    fn new(width: u32, height: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut data = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let wave = |a: f64, b: f64| (127.5 + 100.0 * (f64::from(x) / a).sin() * (f64::from(y) / b).cos()) as u8;
                let bar = if x * 4 < width && y * 4 < height { 0 } else { 40 };
                data.extend([wave(9.0, 14.0), wave(15.0, 8.0) / 2 + bar, wave(23.0, 31.0) / 2 + 2 * bar]);
            }
        }
        let picture = Pixels { width, height, alpha: false, data };
        let png = png(&picture.data, (width, height), ::image::ExtendedColorType::Rgb8, None);
        std::fs::write(dir.path().join("in.png"), png).unwrap();
        Self { dir, picture }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a tool in the folder; `package` is what brings it.
    #[track_caller]
    fn run(&self, package: &str, words: &str) {
        let mut words = words.split_whitespace();
        let tool = words.next().unwrap();
        let out = Command::new(tool).args(words).current_dir(self.dir.path()).output();
        let out = out.unwrap_or_else(|e| panic!("{tool} of Debian's package {package} cannot be run: {e}"));
        assert!(out.status.success(), "{tool}: {}", String::from_utf8_lossy(&out.stderr));
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// What becomes of a file as a PNG of ours.
    #[track_caller]
    fn look(&self, name: &str) -> Pixels {
        Bench::new().look(&self.bytes(name), exact()).opaque()
    }

    /// A picture file as ffmpeg decodes it.
    #[track_caller]
    fn ffmpeg(&self, name: &str, format: &str) -> Vec<u8> {
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-i"]).arg(self.path(name)).args(["-pix_fmt", format, "-f", "rawvideo", "-"]);
        let out = ffmpeg.output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        out.stdout
    }
}

impl Pixels {
    fn opaque(self) -> Self {
        if !self.alpha {
            return self;
        }
        assert!(self.data.chunks_exact(4).all(|p| p[3] == 255), "parts of it are transparent");
        let data = self.data.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
        Self { alpha: false, data, ..self }
    }
}

fn entry(name: &str, spec: &str) -> Entry {
    Entry {
        name: name.to_owned(),
        spec: serde_json::from_str(spec).unwrap(),
        when: None,
        brand: None,
        split_over: None,
    }
}

fn exact() -> Entry {
    entry("x", r#"{"png": {}}"#)
}

fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let squares: f64 = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 * a.len() as f64 / squares.max(1e-9)).log10()
}

#[track_caller]
fn alike(got: &Pixels, wanted: &Pixels, least: f64) {
    assert_eq!((got.width, got.height), (wanted.width, wanted.height));
    let found = psnr(&got.data, &wanted.data);
    assert!(found > least, "{found:.1} dB is less than {least}");
}

#[cfg(feature = "heif")]
mod heif {
    use super::*;

    #[test]
    fn heic_and_avif_look_like_what_they_were_made_of() {
        let studio = Studio::new(192, 128);
        for (name, words) in [
            ("a.heic", "heif-enc -q 90 -p chroma=444 in.png -o a.heic"),
            ("b.heic", "heif-enc -q 90 in.png -t 64 -o b.heic"),
            ("a.avif", "heif-enc -A -q 90 -p chroma=444 in.png -o a.avif"),
        ] {
            studio.run("libheif-examples", words);
            alike(&studio.look(name), &studio.picture, 30.0);
        }
        for (name, words) in [
            ("c.avif", "avifenc -s 8 --min 5 --max 10 in.png c.avif"),
            ("ten.avif", "avifenc -s 8 --min 5 --max 10 -d 10 in.png ten.avif"),
            ("twelve.avif", "avifenc -s 8 --min 5 --max 10 -d 12 -y 422 in.png twelve.avif"),
            ("limited.avif", "avifenc -s 8 --min 5 --max 10 -r limited in.png limited.avif"),
        ] {
            studio.run("libavif-bin", words);
            alike(&studio.look(name), &studio.picture, 32.0);
        }
        let told = |name: &str| facts(&studio.path(name), "image/avif").unwrap().image.unwrap();
        assert_eq!((told("ten.avif").bit_depth, told("twelve.avif").bit_depth, told("c.avif").bit_depth), (10, 12, 8));
    }

    #[test]
    fn odd_sizes_are_cropped_once() {
        let studio = Studio::new(191, 127);
        studio.run("libheif-examples", "heif-enc -q 90 -p chroma=444 in.png -o a.heic");
        studio.run("libavif-bin", "avifenc -s 8 --min 5 --max 10 in.png a.avif");
        for name in ["a.heic", "a.avif"] {
            alike(&studio.look(name), &studio.picture, 30.0);
            let facts = facts(&studio.path(name), "image/any").unwrap();
            assert_eq!(facts.display_size(), Some((191, 127)), "{name}");
        }
        studio.run("libavif-bin", "avifenc -s 8 --min 5 --max 10 -y 444 --crop 20,10,100,60 in.png crop.avif");
        let rows = studio.picture.data.chunks_exact(191 * 3).skip(10).take(60);
        let data = rows.flat_map(|row| row[60..360].to_vec()).collect();
        alike(&studio.look("crop.avif"), &Pixels { width: 100, height: 60, alpha: false, data }, 32.0);
    }

    #[test]
    fn turned_and_mirrored_pictures_are_so_once() {
        let studio = Studio::new(192, 128);
        // Counter-clockwise quarters, then a mirror; as EXIF says the same.
        for (words, exif) in [
            ("--irot 1", 8),
            ("--irot 2", 3),
            ("--irot 3", 6),
            ("--imir 1", 2),
            ("--imir 0", 4),
            ("--irot 1 --imir 1", 7),
        ] {
            studio.run("libavif-bin", &format!("avifenc -s 8 --min 5 --max 10 {words} in.png a.avif"));
            let wanted = scale::upright(studio.picture.clone(), exif);
            alike(&studio.look("a.avif"), &wanted, 32.0);
            let facts = facts(&studio.path("a.avif"), "image/avif").unwrap();
            assert_eq!(facts.display_size(), Some((wanted.width, wanted.height)), "{words}");
        }
    }

    #[test]
    fn exif_does_not_turn_a_heic_again() {
        let studio = Studio::new(192, 128);
        for turn in [1, 3, 6, 8] {
            let stored = stored_as(&studio.picture, turn);
            std::fs::write(studio.path("in.jpg"), with_exif(&jpeg(&stored), &exif(turn, true))).unwrap();
            studio.run("libheif-examples", "heif-enc -q 90 -p chroma=444 in.jpg -o a.heic");
            // This encoder keeps EXIF and says nothing of a turn: so there is none (ISO/IEC 23008-12).
            alike(&studio.look("a.heic"), &stored, 30.0);
            // This one says what EXIF says as the format wants it, and keeps EXIF as well: it is turned once.
            studio.run("libavif-bin", "avifenc -s 8 --min 5 --max 10 -y 444 in.jpg a.avif");
            alike(&studio.look("a.avif"), &studio.picture, 30.0);
            let facts = facts(&studio.path("a.heic"), "image/heic").unwrap();
            assert_eq!(facts.tags["model"], "Model 7");
            assert_eq!(facts.image.unwrap().orientation, 1);
        }
    }

    #[test]
    fn a_grid_is_one_picture() {
        let studio = Studio::new(256, 192);
        studio.run("libavif-bin", "avifenc -s 8 --min 5 --max 10 -g 2x2 in.png a.avif");
        alike(&studio.look("a.avif"), &studio.picture, 32.0);
        assert_eq!(facts(&studio.path("a.avif"), "image/avif").unwrap().display_size(), Some((256, 192)));
    }

    #[test]
    fn colors_of_display_p3_become_srgb() {
        let studio = Studio::new(64, 64);
        // (200, 100, 50) in Display P3 is about (214, 95, 32) in sRGB.
        let p3 = [200u8, 100, 50].repeat(64 * 64);
        std::fs::write(studio.path("p3.png"), png(&p3, (64, 64), ::image::ExtendedColorType::Rgb8, None)).unwrap();
        studio.run("libavif-bin", "avifenc -s 8 --min 1 --max 4 -y 444 --cicp 12/13/6 p3.png p3.avif");
        near(&at(&studio.look("p3.avif"), 30, 30), &[214, 95, 32], 4);
        studio.run("libavif-bin", "avifenc -s 8 --cicp 9/16/9 p3.png pq.avif");
        let error = Bench::new().try_look(&studio.bytes("pq.avif"), exact()).unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
    }

    #[test]
    fn avif_is_what_other_decoders_take_for_srgb() {
        let studio = Studio::new(193, 127);
        for (name, spec, least) in [
            ("low", r#"{"avif": {"quality": 60, "effort": 1}}"#, 26.0),
            ("high", r#"{"avif": {"quality": 95, "effort": 2}}"#, 36.0),
        ] {
            let bench = Bench::new();
            let entry = entry(name, spec);
            bench.look(&studio.bytes("in.png"), entry);
            std::fs::copy(bench.path(&format!("{name}.avif")), studio.path("out.avif")).unwrap();
            studio.run("libavif-bin", "avifdec --index 0 out.avif out.png");
            let seen = studio.ffmpeg("out.png", "rgb24");
            assert!(psnr(&seen, &studio.picture.data) > least, "{name}: {}", psnr(&seen, &studio.picture.data));
            let out = Command::new("avifdec").arg("--info").arg(studio.path("out.avif")).output().unwrap();
            let info = String::from_utf8_lossy(&out.stdout).into_owned();
            let said = |key: &str| info.lines().find(|l| l.contains(key)).unwrap_or_default().to_owned();
            assert!(said("Color Primaries").contains('1') && said("Transfer Char").contains("13"), "{info}");
            assert!(said("Range").contains("Full") && said("Exif Metadata").contains("Absent"), "{info}");
        }
    }

    #[test]
    fn what_is_cut_off_is_told() {
        let studio = Studio::new(192, 128);
        studio.run("libheif-examples", "heif-enc -q 60 in.png -o a.heic");
        studio.run("libavif-bin", "avifenc -s 8 in.png a.avif");
        for name in ["a.heic", "a.avif"] {
            let bytes = studio.bytes(name);
            for part in [12, 40, 100, 200, bytes.len() / 2, bytes.len() - 1] {
                let error = Bench::new().try_look(&bytes[..part], exact()).unwrap_err();
                assert_eq!(error.kind(), Kind::Corrupt, "{name} of {part}: {error}");
            }
        }
    }
}

#[cfg(feature = "jxl")]
#[test]
fn jpeg_xl_is_what_other_decoders_see() {
    let studio = Studio::new(193, 127);
    for (name, spec, least) in [
        ("low", r#"{"jxl": {"quality": 60}}"#, 27.0),
        ("high", r#"{"jxl": {"quality": 95}}"#, 36.0),
        ("all", r#"{"jxl": {"quality": 100, "effort": 3}}"#, 120.0),
    ] {
        let bench = Bench::new();
        bench.look(&studio.bytes("in.png"), entry(name, spec));
        std::fs::copy(bench.path(&format!("{name}.jxl")), studio.path("out.jxl")).unwrap();
        let seen = studio.ffmpeg("out.jxl", "rgb24");
        assert!(psnr(&seen, &studio.picture.data) > least, "{name}: {}", psnr(&seen, &studio.picture.data));
    }
}

#[test]
fn png_is_exact_at_every_effort() {
    let studio = Studio::new(193, 127);
    let mut sizes = Vec::new();
    for effort in [1, 9] {
        let bench = Bench::new();
        let seen = bench.look(&studio.bytes("in.png"), entry("x", &format!(r#"{{"png": {{"effort": {effort}}}}}"#)));
        assert_eq!(seen, studio.picture);
        std::fs::copy(bench.path("x.png"), studio.path("out.png")).unwrap();
        assert_eq!(studio.ffmpeg("out.png", "rgb24"), studio.picture.data);
        sizes.push(studio.bytes("out.png").len());
    }
    assert!(sizes[1] < sizes[0], "{sizes:?}");
}

#[test]
fn alpha_is_kept_where_the_format_has_it() {
    let half: Vec<u8> = (0..64 * 64).flat_map(|i| [200, 40, 90, if i % 64 < 32 { 255 } else { 64 }]).collect();
    let picture = png(&half, (64, 64), ::image::ExtendedColorType::Rgba8, None);
    for spec in [
        r#"{"png": {}}"#,
        #[cfg(feature = "heif")]
        r#"{"avif": {"quality": 95, "effort": 1}}"#,
        #[cfg(feature = "jxl")]
        r#"{"jxl": {"quality": 95}}"#,
    ] {
        let seen = Bench::new().look(&picture, entry("x", spec));
        near(&at(&seen, 8, 30), &[200, 40, 90, 255], 6);
        near(&at(&seen, 56, 30)[3..], &[64], 6);
    }
}

#[test]
fn jpeg_2000_looks_like_what_it_was_made_of() {
    let studio = Studio::new(193, 127);
    for (name, words, least) in [
        ("a.jp2", "opj_compress -i in.png -o a.jp2", 120.0),
        ("a.j2k", "opj_compress -i in.png -o a.j2k", 120.0),
        ("b.jp2", "opj_compress -i in.png -o b.jp2 -I -r 8", 34.0),
        ("tiles.jp2", "opj_compress -i in.png -o tiles.jp2 -t 64,64 -p RPCL", 120.0),
    ] {
        studio.run("libopenjp2-tools", words);
        alike(&studio.look(name), &studio.picture, least);
        let facts = facts(&studio.path(name), "image/jp2").unwrap();
        assert_eq!((facts.display_size(), facts.problem), (Some((193, 127)), None), "{name}");
    }
    studio.run("imagemagick", "convert in.png -colorspace Gray -depth 16 gray.pgm");
    studio.run("libopenjp2-tools", "opj_compress -i gray.pgm -o gray.jp2");
    let seen = Bench::new().look(&studio.bytes("gray.jp2"), exact());
    let wanted = studio.ffmpeg("gray.pgm", "rgb24");
    assert!(psnr(&seen.data, &wanted) > 45.0, "{}", psnr(&seen.data, &wanted));
    assert_eq!(facts(&studio.path("gray.jp2"), "image/jp2").unwrap().image.unwrap().bit_depth, 16);
}

#[test]
fn a_small_picture_of_a_large_jpeg_2000_is_decoded_small() {
    let studio = Studio::new(1024, 768);
    studio.run("libopenjp2-tools", "opj_compress -i in.png -o a.jp2");
    let seen =
        Bench::new().look(&studio.bytes("a.jp2"), entry("x", r#"{"png": {"max_width": 100, "max_height": 100}}"#));
    let wanted =
        Bench::new().look(&studio.bytes("in.png"), entry("x", r#"{"png": {"max_width": 100, "max_height": 100}}"#));
    alike(&seen, &wanted, 30.0);
}

#[test]
fn the_merged_picture_of_a_photoshop_file_is_shown() {
    let studio = Studio::new(193, 127);
    for (name, words) in [
        ("a.psd", "convert in.png -compress RLE a.psd"),
        ("raw.psd", "convert in.png -compress None raw.psd"),
        ("deep.psd", "convert in.png -depth 16 deep.psd"),
        ("large.psb", "convert in.png -compress RLE large.psb"),
        ("palette.psd", "convert in.png -colors 200 -type Palette palette.psd"),
    ] {
        studio.run("imagemagick", words);
        alike(&studio.look(name), &studio.picture, if name == "palette.psd" { 28.0 } else { 120.0 });
    }
    studio.run("imagemagick", "convert in.png -colorspace CMYK cmyk.psd");
    alike(&studio.look("cmyk.psd"), &studio.picture, 35.0);
    studio.run("imagemagick", "convert in.png -colorspace Gray gray.psd");
    studio.run("imagemagick", "convert gray.psd[0] -depth 8 gray.png");
    assert!(psnr(&studio.look("gray.psd").data, &studio.ffmpeg("gray.png", "rgb24")) > 40.0);
    let told = facts(&studio.path("cmyk.psd"), "image/vnd.adobe.photoshop").unwrap();
    assert_eq!((told.image.as_ref().unwrap().color.as_str(), told.display_size()), ("cmyk", Some((193, 127))));
    let bytes = studio.bytes("a.psd");
    for part in [10, 30, 60, bytes.len() / 2, bytes.len() - 1] {
        let error = Bench::new().try_look(&bytes[..part], exact()).unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt, "{part}: {error}");
    }
}

/// A little-endian TIFF of directories: each is its fields (tag, type, numbers), the first of which are chained. Blobs are
/// put behind, and numbers of `u32::MAX - n` stand for the place of blob `n`, of `0x8000_0000 + n` for that of directory `n`.
fn directories(begins: &[u8], dirs: &[Vec<(u16, u16, Vec<u32>)>], chained: usize, blobs: &[&[u8]]) -> Vec<u8> {
    let size = |fields: &Vec<(u16, u16, Vec<u32>)>| 6 + 12 * fields.len();
    let starts: Vec<usize> =
        (0..dirs.len()).map(|i| begins.len() + dirs[..i].iter().map(size).sum::<usize>()).collect();
    let heap = begins.len() + dirs.iter().map(size).sum::<usize>();
    let places: Vec<usize> =
        (0..blobs.len()).map(|i| heap + blobs[..i].iter().map(|b| b.len()).sum::<usize>()).collect();
    let resolve = |n: u32| match n {
        n if n > u32::MAX - 16 => places[(u32::MAX - n) as usize] as u32,
        n if (0x8000_0000..0x8000_0010).contains(&n) => starts[(n - 0x8000_0000) as usize] as u32,
        n => n,
    };
    let mut out = begins.to_vec();
    for (i, fields) in dirs.iter().enumerate() {
        out.extend((fields.len() as u16).to_le_bytes());
        for (tag, kind, numbers) in fields {
            out.extend(tag.to_le_bytes());
            out.extend(kind.to_le_bytes());
            // A blob's own length is its count, where bytes are pointed to.
            let count = match (kind, numbers.as_slice()) {
                (2 | 7, [n]) => blobs[(u32::MAX - n) as usize].len() as u32,
                (_, numbers) => numbers.len() as u32,
            };
            out.extend(count.to_le_bytes());
            out.extend(resolve(numbers[0]).to_le_bytes());
        }
        let next = if i + 1 < chained { starts[i + 1] as u32 } else { 0 };
        out.extend(next.to_le_bytes());
    }
    blobs.iter().for_each(|b| out.extend_from_slice(b));
    out
}

const BLOB: u32 = u32::MAX;
const DIRECTORY: u32 = 0x8000_0000;

fn box_of(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32 + 8).to_be_bytes(), name.as_slice(), content].concat()
}

/// Raw files as cameras lay them out, each with a large preview, held this way, and a small one.
fn raws(preview: &Pixels, turn: u8) -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let large = jpeg(preview);
    let small = jpeg(&quarters(16, 8));
    let sensor = vec![0x5a; 4000];
    let (length, short) = (large.len() as u32, small.len() as u32);
    let turned = (274, 3, vec![u32::from(turn)]);
    let cfa = |blob: u32| {
        vec![
            (254, 4, vec![0]),
            (256, 4, vec![64]),
            (257, 4, vec![40]),
            (259, 3, vec![1]),
            (262, 3, vec![32803]),
            (273, 4, vec![blob]),
            (279, 4, vec![4000]),
        ]
    };
    let dng = directories(
        b"II*\0\x08\0\0\0",
        &[
            vec![
                (254, 4, vec![1]),
                (256, 4, vec![16]),
                (257, 4, vec![8]),
                (271, 2, vec![BLOB - 3]),
                turned.clone(),
                (330, 4, vec![DIRECTORY + 1]),
                (50706, 1, vec![0x0401]),
            ],
            vec![(254, 4, vec![1]), (259, 3, vec![7]), (262, 3, vec![6]), (273, 4, vec![BLOB]), (279, 4, vec![length])],
        ],
        1,
        &[&large, &small, &sensor, b"Maker Inc.\0"],
    );
    let nef = directories(
        b"II*\0\x08\0\0\0",
        &[
            vec![
                (254, 4, vec![1]),
                (256, 4, vec![16]),
                (257, 4, vec![8]),
                (259, 3, vec![1]),
                (262, 3, vec![2]),
                (271, 2, vec![BLOB - 3]),
                turned.clone(),
                (330, 4, vec![DIRECTORY + 1]),
            ],
            cfa(BLOB - 2),
            vec![(259, 3, vec![6]), (513, 4, vec![BLOB]), (514, 4, vec![length])],
        ],
        // Chained here, which readers must follow as well.
        3,
        &[&large, &small, &sensor, b"NIKON CORPORATION\0"],
    );
    let cr2 = directories(
        b"II*\0\x10\0\0\0CR\x02\0\0\0\0\0",
        &[
            vec![
                (256, 4, vec![96]),
                (257, 4, vec![48]),
                (259, 3, vec![6]),
                (271, 2, vec![BLOB - 3]),
                (273, 4, vec![BLOB]),
                turned.clone(),
                (279, 4, vec![length]),
            ],
            vec![(513, 4, vec![BLOB - 1]), (514, 4, vec![short])],
        ],
        2,
        &[&large, &small, &sensor, b"Canon\0"],
    );
    let rw2 = directories(
        b"IIU\0\x08\0\0\0",
        &[vec![(46, 7, vec![BLOB]), (271, 2, vec![BLOB - 3]), turned.clone()]],
        1,
        &[&large, &small, &sensor, b"Panasonic\0"],
    );
    let orf = directories(
        b"IIRO\x08\0\0\0",
        &[vec![(256, 4, vec![64]), (257, 4, vec![40]), (271, 2, vec![BLOB - 3]), turned]],
        1,
        &[&sensor, &small, &large, b"OLYMPUS\0"],
    );
    let with_own = with_exif(&large, &exif(turn, false));
    let mut raf = b"FUJIFILMCCD-RAW 0201FF383501".to_vec();
    raf.resize(84, 0);
    raf.extend(148u32.to_be_bytes());
    raf.extend((with_own.len() as u32).to_be_bytes());
    raf.resize(148, 0);
    raf.extend(&with_own);
    raf.extend(&sensor);
    let cr3 = {
        let ftyp = box_of(b"ftyp", b"crx \0\0\0\x01crx isom");
        let tiff = exif(turn, true);
        let own = box_of(b"uuid", &[[0x85; 16].as_slice(), &box_of(b"CMT1", &tiff)].concat());
        let track = |at: u64| {
            let co64 = box_of(b"co64", &[[0, 0, 0, 0, 0, 0, 0, 1].as_slice(), &at.to_be_bytes()].concat());
            box_of(b"trak", &box_of(b"mdia", &box_of(b"minf", &box_of(b"stbl", &co64))))
        };
        let moov = |a, b| box_of(b"moov", &[own.clone(), track(a), track(b)].concat());
        let start = (ftyp.len() + moov(0, 0).len() + 8) as u64;
        let mdat = box_of(b"mdat", &[sensor.clone(), large.clone()].concat());
        [ftyp, moov(start + 4000, start), mdat].concat()
    };
    vec![
        ("dng", "image/x-adobe-dng", dng),
        ("nef", "image/x-nikon-nef", nef),
        ("cr2", "image/x-canon-cr2", cr2),
        ("rw2", "image/x-panasonic-rw2", rw2),
        ("orf", "image/x-olympus-orf", orf),
        ("raf", "image/x-fuji-raf", raf),
        ("cr3", "image/x-canon-cr3", cr3),
    ]
}

#[test]
fn the_largest_preview_of_a_raw_file_is_shown_upright() {
    let bench = Bench::new();
    for turn in [1, 6, 3] {
        for (name, mime, bytes) in raws(&stored_as(&quarters(96, 48), turn), turn) {
            let (kind, sniffed) = crate::media::sniff::sniff(&bytes[..bytes.len().min(4096)]);
            assert_eq!(kind, crate::model::MediaKind::Image, "{name}");
            let facts = facts(&bench.file(&bytes), sniffed).unwrap();
            assert_eq!((facts.mime.as_str(), facts.container.as_deref()), (mime, Some("raw")), "{name}");
            assert_eq!((facts.problem.clone(), facts.display_size()), (None, Some((96, 48))), "{name} {turn}");
            let seen = bench.look(&bytes, exact());
            is_quarters(&seen);
        }
    }
}

#[test]
fn exiftool_finds_the_same_previews() {
    let studio = Studio::new(16, 16);
    let preview = jpeg(&quarters(96, 48));
    for (name, tag, bytes) in [("dng", "-PreviewImage", 0), ("cr2", "-PreviewImage", 2), ("rw2", "-JpgFromRaw", 3)]
        .map(|(name, tag, at)| (name, tag, raws(&quarters(96, 48), 1).remove(at).2))
    {
        std::fs::write(studio.path(&format!("a.{name}")), bytes).unwrap();
        let out = Command::new("exiftool").args(["-b", tag]).arg(studio.path(&format!("a.{name}"))).output();
        let out = out.expect("exiftool of Debian's package libimage-exiftool-perl can be run");
        assert!(out.stdout.starts_with(&preview), "{name}: {} bytes", out.stdout.len());
    }
}

#[test]
fn a_raw_file_without_a_preview_is_unsupported() {
    let sensor = vec![0x5a; 4000];
    let bare = directories(
        b"II*\0\x08\0\0\0",
        &[vec![
            (256, 4, vec![64]),
            (257, 4, vec![40]),
            (259, 3, vec![1]),
            (262, 3, vec![32803]),
            (273, 4, vec![BLOB]),
            (279, 4, vec![4000]),
            (50706, 1, vec![0x0401]),
        ]],
        1,
        &[&sensor],
    );
    let error = Bench::new().try_look(&bare, exact()).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(error.to_string().contains("beside the sensor's data"), "{error}");
}

#[test]
fn a_picture_of_claimed_billions_of_pixels_is_refused() {
    let mut psd = b"8BPS\0\x02\0\0\0\0\0\0\0\x03".to_vec();
    psd.extend([60_000u32.to_be_bytes(), 60_000u32.to_be_bytes()].concat());
    psd.extend(b"\0\x08\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    let mut j2k = b"\xff\x4f\xff\x51\0\x2f\0\0".to_vec();
    for number in [60_000u32, 60_000, 0, 0, 60_000, 60_000, 0, 0] {
        j2k.extend(number.to_be_bytes());
    }
    j2k.extend(b"\0\x03\x07\x01\x01\x07\x01\x01\x07\x01\x01");
    for bytes in [psd, j2k] {
        let error = Bench::new().try_look(&bytes, exact()).unwrap_err();
        assert!(error.to_string().contains("the cap is"), "{error}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn damage_anywhere_is_an_error_and_never_a_panic(which in 0usize..7, at in 0.0f64..1.0, value: u8, cut in 0.0f64..1.0) {
        let mut bytes = raws(&quarters(32, 16), 6).remove(which).2;
        let place = ((bytes.len() - 1) as f64 * at) as usize;
        bytes[place] = value;
        bytes.truncate((bytes.len() as f64 * (0.2 + 0.8 * cut)) as usize);
        let bench = Bench::new();
        facts(&bench.file(&bytes), "image/any").unwrap();
        bench.try_look(&bytes, exact()).ok();
    }
}
