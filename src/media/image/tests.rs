//! Looks at what comes out of the image module as a person would: files in, pixels out.

use std::path::{Path, PathBuf};

use image::ExtendedColorType as Color;
use proptest::prelude::*;

use super::{samples::*, *};
use crate::{
    error::Kind,
    media::{Limits, Rendered, Renderer, Work},
    model::{MediaFacts, MediaKind},
    profile::{Entry, Position, Spec, Still},
    stop::Stop,
};

fn still(side: Option<u32>) -> Still {
    Still { max_width: side, max_height: side, quality: 95, effort: 1, at: Position::Permille(100), background: None }
}

fn webp(name: &str, side: Option<u32>) -> Entry {
    Entry { name: name.to_owned(), spec: Spec::Webp(still(side)), when: None, brand: None, split_over: None }
}

fn jpg(name: &str, side: Option<u32>) -> Entry {
    Entry { name: name.to_owned(), spec: Spec::Jpeg(still(side)), when: None, brand: None, split_over: None }
}

pub(super) struct Bench {
    dir: tempfile::TempDir,
    limits: Limits,
    stop: Stop,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), limits: Limits::default(), stop: Stop::new() }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join("input");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn render(&self, input: &Path, outputs: &[Entry]) -> Result<Vec<(String, Result<Rendered>)>> {
        let facts = MediaFacts::bare(MediaKind::Image, "image/any");
        let outputs = outputs.iter().collect();
        let (limits, stop) = (&self.limits, &self.stop);
        let work = Work {
            input,
            facts: &facts,
            outputs,
            out_dir: self.dir.path(),
            limits,
            stop,
            part: None,
            clips: &crate::media::Clips::default(),
        };
        let mut results = Vec::new();
        let mut each = |name: &str, result| results.push((name.to_owned(), result));
        ImageRenderer.render(&work, &mut each, &mut |_| {})?;
        Ok(results)
    }

    /// The one output of one input, decoded.
    pub(super) fn look(&self, bytes: &[u8], entry: Entry) -> Pixels {
        self.try_look(bytes, entry).unwrap()
    }

    pub(super) fn try_look(&self, bytes: &[u8], entry: Entry) -> Result<Pixels> {
        let mut results = self.render(&self.file(bytes), std::slice::from_ref(&entry))?;
        let rendered = results.remove(0).1?;
        let path = self.dir.path().join(&rendered.files[0]);
        let (width, height, alpha) = check(&path, entry.spec.mime())?;
        assert_eq!(rendered.size, (width, height));
        let bytes = decode::whole(&path)?;
        let raw = match entry.spec {
            Spec::Webp(_) => super::webp::decode(&bytes, OWN_PIXELS)?,
            Spec::Png(_) => decode::png(std::io::Cursor::new(bytes.as_slice()), OWN_PIXELS)?,
            #[cfg(feature = "heif")]
            Spec::Avif(_) => super::heif::decode(&bytes, OWN_PIXELS)?,
            #[cfg(feature = "jxl")]
            Spec::Jxl(_) => super::jxl::decode(&bytes, OWN_PIXELS)?,
            _ => decode::jpeg(&bytes, None, OWN_PIXELS)?.raw,
        };
        let pixels = color::to_srgb(raw, None);
        assert_eq!(pixels.alpha, alpha);
        Ok(pixels)
    }
}

pub(super) fn at(pixels: &Pixels, x: u32, y: u32) -> Vec<u8> {
    let channels = if pixels.alpha { 4 } else { 3 };
    let start = (y * pixels.width + x) as usize * channels;
    pixels.data[start..start + channels].to_vec()
}

#[track_caller]
pub(super) fn near(got: &[u8], wanted: &[u8], tolerance: u8) {
    let close = got.len() == wanted.len() && got.iter().zip(wanted).all(|(a, b)| a.abs_diff(*b) <= tolerance);
    assert!(close, "{got:?} is not within {tolerance} of {wanted:?}");
}

#[track_caller]
pub(super) fn is_quarters(p: &Pixels) {
    // WebP halves the color's resolution, which shows in pictures of a few pixels; a wrong turn is off by 255.
    let tolerance = if p.width < 32 { 40 } else { 12 };
    near(&at(p, p.width / 4, p.height / 4)[..3], &[255, 0, 0], tolerance);
    near(&at(p, p.width * 3 / 4, p.height / 4)[..3], &[0, 255, 0], tolerance);
    near(&at(p, p.width / 4, p.height * 3 / 4)[..3], &[0, 0, 255], tolerance);
    near(&at(p, p.width * 3 / 4, p.height * 3 / 4)[..3], &[255, 255, 255], tolerance);
}

#[test]
fn all_eight_orientations_of_all_formats_come_out_upright() {
    let bench = Bench::new();
    for turn in 1..=8 {
        let stored = stored_as(&quarters(96, 48), turn);
        let size = (stored.width, stored.height);
        let little = turn % 2 == 0;
        let plain = super::webp::encode(&stored, 95, 1).unwrap();
        let files = [
            ("jpeg", with_exif(&jpeg(&stored), &exif(turn, little))),
            ("png", with_chunk(&png(&stored.data, size, Color::Rgb8, None), b"eXIf", &exif(turn, little))),
            ("tiff", tiff::<::tiff::encoder::colortype::RGB8>(&stored.data, size, &[(274, turn.into())], None)),
            ("webp", webp_with_exif(&plain, size, &exif(turn, little))),
        ];
        for (name, bytes) in files {
            for side in [None, Some(40), Some(17)] {
                let seen = bench.look(&bytes, webp("x", side));
                let wanted = webp("x", side).spec.fit((96, 48));
                assert_eq!((seen.width, seen.height), wanted, "{name} {turn}");
                is_quarters(&seen);
            }
            let facts = facts(&bench.file(&bytes), "image/any").unwrap();
            assert_eq!(facts.image.as_ref().unwrap().orientation, turn, "{name}");
            assert_eq!(facts.display_size(), Some((96, 48)));
            assert_eq!(facts.container.as_deref(), Some(name));
        }
    }
}

#[test]
fn real_pictures_of_all_orientations_look_the_same() {
    let corpus = std::env::var_os("DAMCTL_CORPUS").map(PathBuf::from);
    let Some(corpus) = corpus.filter(|dir| dir.join("orientation").is_dir()) else {
        eprintln!("skipped: DAMCTL_CORPUS names no folder of real pictures");
        return;
    };
    let bench = Bench::new();
    let look = |n| {
        bench.look(&std::fs::read(corpus.join(format!("orientation/Landscape_{n}.jpg"))).unwrap(), webp("x", Some(64)))
    };
    let upright = look(1);
    for n in 2..=8 {
        let other = look(n);
        assert_eq!((other.width, other.height), (upright.width, upright.height));
        let apart: u64 = upright.data.iter().zip(&other.data).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert!(apart / (upright.data.len() as u64) < 12, "Landscape_{n} is {apart} apart");
    }
}

#[test]
fn one_decode_makes_every_size_and_never_a_larger_one() {
    let bench = Bench::new();
    let input = bench.file(&jpeg(&quarters(1000, 500)));
    let outputs = [webp("s", Some(100)), jpg("l", Some(4000)), webp("m", Some(400))];
    let mut sizes = Vec::new();
    for (name, result) in bench.render(&input, &outputs).unwrap() {
        let rendered = result.unwrap();
        let mime = if name == "l" { "image/jpeg" } else { "image/webp" };
        let (width, height, alpha) = check(&bench.dir.path().join(&rendered.files[0]), mime).unwrap();
        assert!(!alpha);
        sizes.push((name, width, height));
    }
    assert_eq!(sizes, [("l".into(), 1000, 500), ("m".into(), 400, 200), ("s".into(), 100, 50)]);
}

#[test]
fn cmyk_without_a_profile_is_right_both_ways_round() {
    let bench = Bench::new();
    // Full cyan and a quarter black: (0, 191, 191). libjpeg-turbo writes an Adobe marker, and the samples as given.
    let inverted = [0u8, 255, 255, 191].repeat(64);
    let adobe = jpeg_of(&inverted, (8, 8), turbojpeg::PixelFormat::CMYK);
    assert!(header::read(&bench.file(&adobe)).unwrap().adobe);
    near(&at(&bench.look(&adobe, webp("x", None)), 4, 4), &[0, 191, 191], 4);

    let mut plain = turbojpeg::Compressor::new().unwrap();
    plain.set_subsamp(turbojpeg::Subsamp::None).unwrap();
    plain.set_colorspace(turbojpeg::Colorspace::CMYK).unwrap();
    let data = [255u8, 0, 0, 64].repeat(64);
    let format = turbojpeg::PixelFormat::CMYK;
    let image = turbojpeg::Image { pixels: data.as_slice(), width: 8, pitch: 32, height: 8, format };
    let mut bytes = plain.compress_to_vec(image).unwrap();
    // Without Adobe's marker the samples are ink as they stand.
    let marker = bytes.windows(2).position(|w| w == [0xff, 0xee]).unwrap();
    bytes.drain(marker..marker + 16);
    near(&at(&bench.look(&bytes, webp("x", None)), 4, 4), &[0, 191, 191], 4);
    assert_eq!(facts(&bench.file(&bytes), "image/jpeg").unwrap().image.unwrap().color, "cmyk");
}

#[test]
fn cmyk_goes_through_its_profile() {
    let bench = Bench::new();
    // Lab 55, -37, -50 is about (0, 151, 218) in sRGB.
    let wanted = [0, 151, 218];
    let ink = [255u8, 0, 0, 0].repeat(12);
    let page = tiff::<::tiff::encoder::colortype::CMYK8>(&ink, (4, 3), &[], Some(&cmyk_icc()));
    near(&at(&bench.look(&page, webp("x", None)), 2, 1), &wanted, 12);
    let inverted = [0u8, 255, 255, 255].repeat(64);
    let adobe = with_icc(&jpeg_of(&inverted, (8, 8), turbojpeg::PixelFormat::CMYK), &cmyk_icc());
    near(&at(&bench.look(&adobe, webp("x", None)), 4, 4), &wanted, 12);
}

#[test]
fn colors_go_through_the_embedded_profile() {
    let bench = Bench::new();
    let p3 = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    // Display P3's (180, 100, 60) is (190, 98, 52) in sRGB, by the two matrices and the sRGB curve.
    let data = [180u8, 100, 60].repeat(64);
    let wanted = [190, 98, 52];
    let name = moxcms::ColorProfile::new_from_slice(&p3).ok().and_then(|_| facts::profile_name(&p3));
    for bytes in [
        with_icc(&jpeg_of(&data, (8, 8), turbojpeg::PixelFormat::RGB), &p3),
        png(&data, (8, 8), Color::Rgb8, Some(p3.clone())),
        tiff::<::tiff::encoder::colortype::RGB8>(&data, (8, 8), &[], Some(&p3)),
    ] {
        near(&at(&bench.look(&bytes, webp("x", None)), 4, 4), &wanted, 4);
        assert_eq!(facts(&bench.file(&bytes), "image/any").unwrap().image.unwrap().icc, name);
    }
    assert!(name.is_some_and(|n| n.contains("P3")));
    // sRGB's own profile leaves every byte alone.
    let srgb = moxcms::ColorProfile::new_srgb().encode().unwrap();
    let raw = Raw { width: 8, height: 8, model: Model::Rgb, data: data.clone() };
    assert_eq!(color::to_srgb(raw, Some(&srgb)).data, data);
    // Gray of gamma 1.0: 128 is linear half, 188 in sRGB.
    let linear = moxcms::ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
    let raw = Raw { width: 1, height: 1, model: Model::Gray, data: vec![128] };
    near(&color::to_srgb(raw, Some(&linear)).data, &[188, 188, 188], 2);
    // A profile that makes no sense is no profile.
    let raw = Raw { width: 1, height: 1, model: Model::Rgb, data: vec![1, 2, 3] };
    assert_eq!(color::to_srgb(raw, Some(b"nonsense")).data, [1, 2, 3]);
}

#[test]
fn sixteen_bits_are_rounded_to_eight() {
    assert_eq!(
        [0, 128, 129, 257, 385, 386, 65_406, 65_407, 65_535].map(decode::narrow),
        [0, 0, 1, 1, 1, 2, 254, 255, 255]
    );
    let bench = Bench::new();
    let deep = [0xff7fu16, 0x8080, 0x0100].repeat(64);
    let page = tiff::<::tiff::encoder::colortype::RGB16>(&deep, (8, 8), &[], None);
    let header = header::read(&bench.file(&page)).unwrap();
    assert_eq!((header.bit_depth, header.color), (16, "rgb"));
    let raw = super::tiff::decode(&bench.file(&page), 1000).unwrap();
    assert_eq!(&raw.data[..3], [255, 128, 1]);
    let bytes: Vec<u8> = deep.iter().flat_map(|v| v.to_ne_bytes()).collect();
    let file = bench.file(&png(&bytes, (8, 8), Color::Rgb16, None));
    let header = header::read(&file).unwrap();
    assert_eq!(header.bit_depth, 16);
    assert_eq!(decode::still(&file, &header, 1000, &|s| s).unwrap().raw.data, raw.data);
    let gray: Vec<u8> = [0x8080u16, 0x4040].repeat(64).iter().flat_map(|v| v.to_ne_bytes()).collect();
    let seen = bench.look(&png(&gray, (8, 8), Color::La16, None), webp("x", None));
    near(&at(&seen, 3, 3), &[128, 128, 128, 64], 3);
}

#[test]
fn a_tiff_palette_and_gray_with_premultiplied_alpha_are_read() {
    let bench = Bench::new();
    let mut out = std::io::Cursor::new(Vec::new());
    let mut encoder = ::tiff::encoder::TiffEncoder::new(&mut out).unwrap();
    let mut page = encoder.new_image::<::tiff::encoder::colortype::Gray8>(4, 2).unwrap();
    let mut map = vec![0u16; 768];
    (map[7], map[256 + 7], map[512 + 7]) = (0xffff, 0x8080, 0x0101);
    page.encoder().write_tag(::tiff::tags::Tag::ColorMap, map.as_slice()).unwrap();
    page.write_data(&[7, 7, 7, 7, 0, 0, 0, 0]).unwrap();
    let mut bytes = out.into_inner();
    // The encoder writes no palettes: make photometric 1 a 3.
    let entry = bytes.windows(8).position(|w| w == [6, 1, 3, 0, 1, 0, 0, 0]).unwrap();
    bytes[entry + 8] = 3;
    let raw = super::tiff::decode(&bench.file(&bytes), 100).unwrap();
    assert_eq!(
        (raw.model, &raw.data[..3], &raw.data[12..15]),
        (Model::Rgb, [255, 128, 1].as_slice(), [0; 3].as_slice())
    );
    assert_eq!(facts(&bench.file(&bytes), "image/tiff").unwrap().image.unwrap().color, "palette");

    let premultiplied = [100u8, 50, 0, 128].repeat(4);
    let mut out = std::io::Cursor::new(Vec::new());
    let mut encoder = ::tiff::encoder::TiffEncoder::new(&mut out).unwrap();
    let mut page = encoder.new_image::<::tiff::encoder::colortype::RGBA8>(2, 2).unwrap();
    page.encoder().write_tag(::tiff::tags::Tag::ExtraSamples, [1u16].as_slice()).unwrap();
    page.write_data(&premultiplied).unwrap();
    let raw = super::tiff::decode(&bench.file(&out.into_inner()), 100).unwrap();
    assert_eq!(&raw.data[..4], [199, 100, 0, 128]);
}

#[test]
fn alpha_is_kept_and_edges_do_not_darken() {
    let bench = Bench::new();
    // White, opaque on the left; on the right transparent over black. Any dark fringe shows after scaling.
    let data: Vec<u8> = (0..64 * 64).flat_map(|i| if i % 64 < 31 { [255; 4] } else { [0; 4] }).collect();
    let bytes = png(&data, (64, 64), Color::Rgba8, None);
    let input = bench.file(&bytes);
    bench.render(&input, &[webp("a", Some(32)), webp("b", Some(16))]).unwrap();
    for name in ["a.webp", "b.webp"] {
        let raw = super::webp::decode(&std::fs::read(bench.dir.path().join(name)).unwrap(), 10_000).unwrap();
        assert_eq!(raw.model, Model::Rgba);
        assert_eq!((raw.data[3], raw.data[raw.data.len() - 1]), (255, 0));
        for pixel in raw.data.chunks_exact(4).filter(|p| p[3] > 40) {
            assert!(pixel[..3].iter().all(|&v| v > 240), "{pixel:?} is a dark edge");
        }
    }
    let laid = bench.look(&bytes, jpg("c", None));
    near(&at(&laid, 60, 30), &[255, 255, 255], 2);
}

#[test]
fn gif_frames_are_composited_with_their_disposal() {
    let bench = Bench::new();
    let (red, green, blue, none) = ([255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255], [0; 4]);
    for (dispose, left) in [
        (gif::DisposalMethod::Keep, green),
        (gif::DisposalMethod::Background, none),
        (gif::DisposalMethod::Previous, red),
    ] {
        let input = bench.file(&gif(dispose));
        let mut frames = Vec::new();
        animation::read(&input, 100, &mut |f| {
            frames.push(f);
            Ok(())
        })
        .unwrap();
        assert_eq!(frames.iter().map(|f| f.delay_ms).collect::<Vec<_>>(), [100, 50, 200]);
        assert_eq!(at(&frames[0].pixels, 0, 0), red);
        assert_eq!((at(&frames[1].pixels, 0, 0), at(&frames[1].pixels, 3, 0)), (green.to_vec(), red.to_vec()));
        assert_eq!((at(&frames[2].pixels, 0, 0), at(&frames[2].pixels, 3, 3)), (left.to_vec(), blue.to_vec()));
        let facts = facts(&input, "image/gif").unwrap();
        assert_eq!((facts.kind, facts.duration_ms, facts.image.unwrap().frames), (MediaKind::Animation, Some(350), 3));
    }
    // The first frame is red all over, so the poster is the second.
    let poster = bench.look(&gif(gif::DisposalMethod::Keep), webp("poster", None));
    near(&at(&poster, 0, 1)[..3], &[0, 255, 0], 60);
    assert_eq!(
        animation::read(&bench.file(&gif(gif::DisposalMethod::Keep)), 15, &mut |_| Ok(())).unwrap_err().kind(),
        Kind::Unsupported
    );
}

#[test]
fn scaling_keeps_flat_areas_flat_and_averages_fine_ones() {
    let bench = Bench::new();
    let checks: Vec<u8> =
        (0..512 * 512).flat_map(|i| if (i % 512 + i / 512) % 2 == 0 { [0; 3] } else { [255; 3] }).collect();
    let seen = bench.look(&png(&checks, (512, 512), Color::Rgb8, None), webp("x", Some(64)));
    near(&at(&seen, 32, 32), &[128, 128, 128], 6);
    let gray = bench.look(&jpeg_of(&[77; 400 * 300], (400, 300), turbojpeg::PixelFormat::GRAY), webp("x", Some(50)));
    near(&at(&gray, 10, 10), &[77, 77, 77], 2);
}

#[test]
fn a_bomb_is_refused_by_its_header() {
    let mut bench = Bench::new();
    bench.limits.pixels = 1_000_000;
    let mut bomb = png(&[0; 3], (1, 1), Color::Rgb8, None);
    bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let bomb = with_chunk(&bomb[..], b"zzZz", b"");
    let error = bench.try_look(&bomb, webp("x", Some(100))).unwrap_err();
    assert!(matches!(error.kind(), Kind::Unsupported | Kind::Corrupt), "{error:?}");
    let mut page = tiff::<::tiff::encoder::colortype::Gray8>(&[0; 16], (4, 4), &[], None);
    let entry = page.windows(4).position(|w| w == [0, 1, 4, 0]).unwrap();
    page[entry + 8..entry + 12].copy_from_slice(&60_000u32.to_le_bytes());
    let entry = page.windows(4).position(|w| w == [1, 1, 4, 0]).unwrap();
    page[entry + 8..entry + 12].copy_from_slice(&60_000u32.to_le_bytes());
    let error = bench.try_look(&page, webp("x", Some(100))).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported, "{error:?}");
    assert!(error.to_string().contains("60000 x 60000") && error.to_string().contains("1000000"), "{error}");
    // Shrink-on-load: the decoded pixels count.
    let large = jpeg_of(&vec![9; 4000 * 2000], (4000, 2000), turbojpeg::PixelFormat::GRAY);
    assert_eq!(bench.look(&large, webp("x", Some(200))).width, 200);
    assert_eq!(bench.try_look(&large, webp("x", None)).unwrap_err().kind(), Kind::Unsupported);
}

#[test]
fn damaged_files_are_corrupt() {
    let bench = Bench::new();
    let picture = quarters(200, 200);
    let files = [
        jpeg(&picture),
        png(&picture.data, (200, 200), Color::Rgb8, None),
        tiff::<::tiff::encoder::colortype::RGB8>(&picture.data, (200, 200), &[], None),
        super::webp::encode(&picture, 90, 2).unwrap(),
        gif(gif::DisposalMethod::Keep),
    ];
    for (index, bytes) in files.iter().enumerate() {
        for keep in [bytes.len() / 2, bytes.len() * 9 / 10, 20, 5] {
            // The poster of a GIF needs but its first frames.
            if index == 4 && keep > 20 {
                continue;
            }
            let error = bench.try_look(&bytes[..keep], webp("x", Some(50))).unwrap_err();
            assert_eq!(error.kind(), Kind::Corrupt, "file {index} cut to {keep}: {error:?}");
        }
    }
    for bytes in [&b""[..], b"garbage that is no picture at all"] {
        assert_eq!(bench.try_look(bytes, webp("x", None)).unwrap_err().kind(), Kind::Corrupt);
    }
    for (bytes, mime) in [(&files[0], "image/jpeg"), (&files[3], "image/webp")] {
        assert_eq!(check(&bench.file(bytes), mime).unwrap(), (200, 200, false));
        assert_eq!(check(&bench.file(&bytes[..bytes.len() - 2]), mime).unwrap_err().kind(), Kind::Corrupt);
    }
}

#[test]
fn the_smallest_and_the_longest() {
    let bench = Bench::new();
    let one = bench.look(&png(&[9, 200, 30], (1, 1), Color::Rgb8, None), webp("x", Some(300)));
    assert_eq!((one.width, one.height), (1, 1));
    near(&at(&one, 0, 0), &[9, 200, 30], 12);
    let long = png(&vec![80; 17_000 * 2], (17_000, 2), Color::L8, None);
    let mut results =
        bench.render(&bench.file(&long), &[webp("w", None), jpg("j", None), webp("s", Some(170))]).unwrap();
    let error = results.remove(0).1.unwrap_err();
    assert_eq!((error.kind(), error.to_string().contains("17000 x 2")), (Kind::Unsupported, true));
    assert_eq!(results[0].1.as_ref().unwrap().size, (17_000, 2));
    assert_eq!(results[1].1.as_ref().unwrap().size, (170, 1));
    bench.stop.trip();
    assert_eq!(bench.render(&bench.file(&long), &[webp("w", None)]).unwrap_err().kind(), Kind::Stopped);
}

#[test]
fn tags_are_read_from_exif() {
    let bench = Bench::new();
    for little in [true, false] {
        let facts = facts(&bench.file(&with_exif(&jpeg(&quarters(8, 8)), &exif(1, little))), "image/jpeg").unwrap();
        let tags: Vec<_> = facts.tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let taken = ("date_time_original", "2019-05-04T12:13:14+02:00");
        assert_eq!(tags, [taken, ("make", "Maker Inc."), ("model", "Model 7")]);
        assert_eq!((facts.image.unwrap().color.as_str(), facts.problem), ("ycbcr", None));
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let picture = quarters(16, 16);
    let p3 = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let simple = super::webp::encode(&picture, 50, 0).unwrap();
    let mut bmp = Vec::new();
    let size = (16, 16);
    image::codecs::bmp::BmpEncoder::new(&mut bmp).encode(&picture.data, 16, 16, Color::Rgb8).unwrap();
    vec![
        with_icc(&with_exif(&jpeg(&picture), &exif(6, true)), &p3),
        with_chunk(&png(&picture.data, size, Color::Rgb8, Some(p3.clone())), b"eXIf", &exif(3, false)),
        tiff::<::tiff::encoder::colortype::RGB8>(&picture.data, size, &[(274, 6)], Some(&p3)),
        webp_with_exif(&simple, size, &exif(2, true)),
        gif(gif::DisposalMethod::Keep),
        bmp,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn headers_of_any_bytes_never_panic(kind in 0usize..7, mut bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let magic: [&[u8]; 7] = [b"\xff\xd8\xff\xe1", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"II*\0\x08\0\0\0", b"MM\0+",
            b"GIF89a", b"RIFF\xff\xff\0\0WEBPVP8X", b"BM"];
        bytes.splice(0..0, magic[kind].iter().copied());
        facts::from(header::read_from(std::io::Cursor::new(bytes)).unwrap(), "image/any");
    }

    #[test]
    fn headers_of_cut_and_flipped_files_never_panic(
        seed in 0usize..6, keep in 0f64..1.0, flips in prop::collection::vec((0f64..1.0, any::<u8>()), 0..12),
    ) {
        thread_local!(static SEEDS: Vec<Vec<u8>> = seeds());
        let mut bytes = SEEDS.with(|s| s[seed].clone());
        for (place, value) in flips {
            let at = (place * bytes.len() as f64) as usize;
            bytes[at] ^= value;
        }
        bytes.truncate((keep * 1.5 * bytes.len() as f64) as usize);
        facts::from(header::read_from(std::io::Cursor::new(bytes)).unwrap(), "image/any");
    }
}
