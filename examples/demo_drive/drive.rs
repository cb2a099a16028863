//! What a backlog drive looks like, in small: moving pictures, sound and stills in the formats that newsrooms own,
//! sidecars, a duplicate, leftovers of systems, and files that are broken in the ways in which files break.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::{ffi::OsStringExt, fs::PermissionsExt, fs::symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

/// Makes the drive in `dir`. Needs ffmpeg and espeak-ng.
pub fn make(dir: &Path) -> Result<()> {
    for folder in ["2019 harbor", "2021 interviews", "photos", "sound", "broken", "__MACOSX"] {
        fs::create_dir_all(dir.join(folder))?;
    }
    sound(dir)?;
    moving_pictures(dir)?;
    stills(&dir.join("photos"))?;
    sidecars(dir)?;
    leftovers(dir)?;
    broken(dir)?;
    // Last: it marks a drive that is complete.
    fs::write(dir.join("README.txt"), "A made-up drive of real media.\n")?;
    Ok(())
}

/// Runs a tool; its complaint becomes the error.
fn tool<S: AsRef<OsStr>>(name: &str, args: impl IntoIterator<Item = S>) -> Result<()> {
    let out =
        Command::new(name).args(args).stdin(Stdio::null()).output().with_context(|| format!("cannot start {name}"))?;
    ensure!(out.status.success(), "{name} failed: {}", String::from_utf8_lossy(&out.stderr));
    Ok(())
}

/// ffmpeg with these words and an output file.
fn ffmpeg(words: &str, out: &Path) -> Result<()> {
    let mut args: Vec<OsString> = "-hide_banner -v error -nostdin -y".split(' ').map(Into::into).collect();
    args.extend(words.split_whitespace().map(Into::into));
    args.push(out.into());
    tool("ffmpeg", args).with_context(|| format!("cannot make {}", out.display()))
}

/// A test picture that moves, with a beep every second.
fn source(size: &str, rate: &str, seconds: u32) -> String {
    format!("-f lavfi -i testsrc2=s={size}:r={rate}:d={seconds} -f lavfi -i sine=f=440:b=4:r=48000:d={seconds}")
}

fn moving_pictures(dir: &Path) -> Result<()> {
    let harbor = dir.join("2019 harbor");
    ffmpeg(
        &format!(
            "{} -c:v prores_ks -profile:v 2 -pix_fmt yuv422p10le -timecode 10:00:00:00 -c:a pcm_s24le",
            source("1280x720", "25", 3)
        ),
        &harbor.join("harbor_master.mov"),
    )?;
    ffmpeg(
        &format!(
            "{} -vf interlace=scan=bff,scale=720:576,setsar=64/45 -pix_fmt yuv420p -c:v dvvideo -c:a pcm_s16le -ac 2",
            source("720x576", "50", 3)
        ),
        &harbor.join("tape_07.mov"),
    )?;
    ffmpeg(
        &format!(
            "{} -c:v libx264 -preset veryfast -pix_fmt yuv420p -g 50 -c:a aac -ac 2 -movflags +faststart -metadata title=Harbor",
            source("1920x1080", "25", 6)
        ),
        &harbor.join("harbor_cut.mp4"),
    )?;
    // The phone was held upright: the picture lies on its side, and the header says how to turn it.
    let flat = dir.join("flat.mp4");
    ffmpeg(
        &format!("{} -c:v libx264 -preset veryfast -pix_fmt yuv420p -c:a aac -ac 2", source("1280x720", "30", 3)),
        &flat,
    )?;
    let turned = ["-hide_banner", "-v", "error", "-nostdin", "-y", "-display_rotation", "90", "-i"];
    let phone = dir.join("2021 interviews").join("phone clip.mp4");
    if tool(
        "ffmpeg",
        turned.iter().map(OsString::from).chain([
            flat.clone().into(),
            "-c".into(),
            "copy".into(),
            phone.clone().into(),
        ]),
    )
    .is_err()
    {
        // ffmpeg before 6 takes the tag instead.
        let words = ["-hide_banner", "-v", "error", "-nostdin", "-y", "-i"];
        let tail = ["-c", "copy", "-metadata:s:v", "rotate=270"];
        tool(
            "ffmpeg",
            words
                .iter()
                .map(OsString::from)
                .chain([flat.clone().into()])
                .chain(tail.iter().map(OsString::from))
                .chain([phone.into()]),
        )?;
    }
    fs::remove_file(flat)?;
    ffmpeg(
        &format!("{} -c:v mpeg2video -b:v 8M -g 12 -pix_fmt yuv420p -c:a mp2 -ac 2", source("1280x720", "25", 3)),
        &harbor.join("off_air.ts"),
    )?;
    ffmpeg(
        &format!(
            "{} -c:v mpeg2video -b:v 20M -g 12 -pix_fmt yuv422p -timecode 09:59:58:00 -c:a pcm_s16le -ac 2 -ar 48000 -f mxf",
            source("1280x720", "25", 3)
        ),
        &harbor.join("camera.mxf"),
    )
}

fn sound(dir: &Path) -> Result<()> {
    let sound = dir.join("sound");
    let spoken = sound.join("spoken.wav");
    let text = "The harbor was closed on Tuesday. Inflation is at two percent, said the minister.";
    tool("espeak-ng", ["-v", "en", "-w", &spoken.display().to_string(), text])?;
    let input = OsString::from(&spoken);
    let make = |words: &str, name: &str| -> Result<()> {
        let mut args: Vec<OsString> =
            ["-hide_banner", "-v", "error", "-nostdin", "-y", "-i"].iter().map(Into::into).collect();
        args.push(input.clone());
        args.extend(words.split_whitespace().map(Into::into));
        args.push(sound.join(name).into());
        tool("ffmpeg", args)
    };
    make(
        "-ar 48000 -ac 2 -c:a pcm_s24le -write_bext 1 -metadata description=Harbor_interview -metadata originator=damctl -metadata time_reference=172800000",
        "interview_bext.wav",
    )?;
    make("-ar 44100 -ac 2 -c:a libmp3lame -b:a 192k -metadata title=Harbor_report", "report.mp3")?;
    make("-ar 48000 -ac 1 -c:a flac", "room tone.flac")?;
    fs::remove_file(spoken)?;
    Ok(())
}

/// A picture whose four corners differ, so that a wrong turn shows.
fn picture(width: u32, height: u32) -> image::RgbImage {
    image::RgbImage::from_fn(width, height, |x, y| {
        let corner = match (x < width / 4, y < height / 4, x >= width * 3 / 4, y >= height * 3 / 4) {
            (true, true, _, _) => Some([220, 30, 30]),
            (_, true, true, _) => Some([30, 200, 30]),
            (true, _, _, true) => Some([30, 30, 220]),
            (_, _, true, true) => Some([230, 220, 30]),
            _ => None,
        };
        let wave = ((x as f32 / 37.0).sin() * (y as f32 / 23.0).cos() * 60.0 + 128.0) as u8;
        image::Rgb(corner.unwrap_or([wave, wave / 2 + 60, 200 - wave / 2]))
    })
}

fn jpeg(image: &image::RgbImage) -> Result<Vec<u8>> {
    let flat = turbojpeg::Image {
        pixels: image.as_raw().as_slice(),
        width: image.width() as usize,
        pitch: image.width() as usize * 3,
        height: image.height() as usize,
        format: turbojpeg::PixelFormat::RGB,
    };
    Ok(turbojpeg::compress(flat, 88, turbojpeg::Subsamp::Sub2x2)?.to_vec())
}

/// The file with an EXIF segment that holds nothing but an orientation (Exif 2.32 §4.5.4, §4.6.4).
fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    let mut out = jpeg[..2].to_vec();
    out.extend([0xff, 0xe1]);
    out.extend((exif.len() as u16 + 2).to_be_bytes());
    out.extend(exif);
    out.extend(&jpeg[2..]);
    out
}

fn stills(dir: &Path) -> Result<()> {
    let upright = image::DynamicImage::ImageRgb8(picture(1600, 1000));
    for orientation in 1..=8u8 {
        // Stored so that turning it as the tag says gives the same upright picture each time.
        let stored = match orientation {
            2 => upright.fliph(),
            3 => upright.rotate180(),
            4 => upright.flipv(),
            5 => upright.rotate90().fliph(),
            6 => upright.rotate270(),
            7 => upright.rotate270().fliph(),
            8 => upright.rotate90(),
            _ => upright.clone(),
        };
        let bytes = with_orientation(&jpeg(&stored.to_rgb8())?, orientation);
        fs::write(dir.join(format!("orientation_{orientation}.jpg")), bytes)?;
    }
    let logo = image::RgbaImage::from_fn(640, 640, |x, y| {
        let (dx, dy) = (x as f32 - 320.0, y as f32 - 320.0);
        let inside = (310.0 - (dx * dx + dy * dy).sqrt()).clamp(0.0, 1.0);
        image::Rgba([200, 40, 60, (inside * 255.0) as u8])
    });
    logo.save(dir.join("logo_alpha.png"))?;
    let deep = image::ImageBuffer::<image::Rgb<u16>, Vec<u16>>::from_fn(900, 600, |x, y| {
        image::Rgb([x as u16 * 72, y as u16 * 109, 32_768])
    });
    image::DynamicImage::ImageRgb16(deep).save(dir.join("scan_16bit.tif"))?;
    let ink: Vec<u8> = picture(1200, 800).pixels().flat_map(|p| [p[0], p[1], p[2], 255]).collect();
    // Adobe's programs store CMYK inverted: 255 is no ink.
    let cmyk = turbojpeg::Image {
        pixels: ink.as_slice(),
        width: 1200,
        pitch: 4800,
        height: 800,
        format: turbojpeg::PixelFormat::CMYK,
    };
    fs::write(dir.join("print_cmyk.jpg"), turbojpeg::compress(cmyk, 90, turbojpeg::Subsamp::None)?)?;
    let mut gif = gif::Encoder::new(fs::File::create(dir.join("loop.gif"))?, 320, 240, &[])?;
    gif.set_repeat(gif::Repeat::Infinite)?;
    for i in 0..12u32 {
        let frame = image::RgbaImage::from_fn(320, 240, |x, y| {
            let on = (x as i64 - 40 - i64::from(i) * 20).abs() < 20 && (y as i64 - 120).abs() < 20;
            image::Rgba(if on { [250, 210, 40, 255] } else { [20, 60, (y / 2) as u8, 255] })
        });
        let mut pixels = frame.into_raw();
        let mut frame = gif::Frame::from_rgba_speed(320, 240, &mut pixels, 10);
        frame.delay = 8;
        gif.write_frame(&frame)?;
    }
    drop(gif);
    let plain = dir.join("plain.png");
    picture(1000, 700).save(&plain)?;
    ffmpeg(&format!("-i {} -c:v libwebp -quality 80", relative(&plain)?), &dir.join("web.webp"))?;
    fs::remove_file(plain)?;
    Ok(())
}

/// A path without spaces can be one of ffmpeg's words.
fn relative(path: &Path) -> Result<String> {
    let text = path.display().to_string();
    ensure!(!text.contains(char::is_whitespace), "the demo drive's path must not hold spaces: {text}");
    Ok(text)
}

fn sidecars(dir: &Path) -> Result<()> {
    let srt = "1\n00:00:00,500 --> 00:00:02,000\nThe harbor was closed.\n\n2\n00:00:02,500 --> 00:00:05,000\nSaid the minister.\n";
    fs::write(dir.join("2019 harbor/harbor_cut.srt"), srt)?;
    let xmp = r#"<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Harbor at dawn</dc:title></rdf:Description>
</rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>
"#;
    fs::write(dir.join("photos/orientation_1.xmp"), xmp)?;
    Ok(())
}

fn leftovers(dir: &Path) -> Result<()> {
    fs::copy(dir.join("2019 harbor/harbor_cut.mp4"), dir.join("2021 interviews/copy of something.mp4"))?;
    fs::write(dir.join(".DS_Store"), "\0\0\0\x01Bud1")?;
    fs::write(dir.join("photos/._orientation_1.jpg"), "\0\x05\x16\x07")?;
    fs::write(dir.join("__MACOSX/x"), "x")?;
    let latin_1 = PathBuf::from(OsString::from_vec(b"Espa\xf1a notas.txt".to_vec()));
    fs::write(dir.join(latin_1), "A name of another century.\n")?;
    symlink("..", dir.join("2021 interviews/loop"))?;
    Ok(())
}

fn broken(dir: &Path) -> Result<()> {
    let broken = dir.join("broken");
    fs::write(broken.join("empty.mov"), "")?;
    fs::write(broken.join("not a film.mp4"), "This is a text that somebody renamed.\n")?;
    // Fast start: the header is whole and promises six seconds, of which half are there.
    let whole = fs::read(dir.join("2019 harbor/harbor_cut.mp4"))?;
    fs::write(broken.join("truncated.mp4"), &whole[..whole.len() / 2])?;
    // The recording was not finished: data, and no moov.
    let mov = fs::read(dir.join("2019 harbor/harbor_master.mov"))?;
    let moov = mov.windows(4).rposition(|w| w == b"moov").context("the master has no moov")?;
    fs::write(broken.join("unfinished.mov"), &mov[..moov - 4])?;
    let locked = broken.join("locked.wav");
    ffmpeg("-f lavfi -i sine=f=330:d=2 -c:a pcm_s16le", &locked)?;
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000))?;
    let picture = fs::read(dir.join("photos/orientation_1.jpg"))?;
    fs::write(broken.join("half.jpg"), &picture[..picture.len() / 2])?;
    Ok(())
}
