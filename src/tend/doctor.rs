//! Looks at the machine: what is here, what each missing thing costs, and how to get it.

use std::process::{Command, Stdio};

/// One thing that may be here.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Its name.
    pub what: String,
    /// Its version or state when it is here.
    pub found: Option<String>,
    /// What cannot be done without it.
    pub cost: String,
    /// How to get it.
    pub get: String,
    /// Whether damctl's main job needs it.
    pub needed: bool,
}

fn tool(name: &str, version_flag: &str, cost: &str, package: &str) -> Check {
    let output = Command::new(name).arg(version_flag).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let first = |out: std::process::Output| {
        String::from_utf8_lossy(&out.stdout).lines().next().unwrap_or_default().trim().to_owned()
    };
    Check {
        what: name.to_owned(),
        found: output.ok().map(first),
        cost: cost.to_owned(),
        get: format!("apt-get install {package}"),
        needed: true,
    }
}

/// Looks for everything that damctl uses.
pub fn doctor() -> Vec<Check> {
    let mut checks = vec![
        tool("ffprobe", "-version", "audio and video cannot be measured, nor renditions accepted", "ffmpeg"),
        tool("ffmpeg", "-version", "renditions cannot be checked by an independent decoder", "ffmpeg"),
    ];
    #[cfg(feature = "gst")]
    checks.extend(gstreamer());
    #[cfg(not(feature = "gst"))]
    checks.push(Check {
        what: "GStreamer".to_owned(),
        found: None,
        cost: "no audio or video renditions".to_owned(),
        get: "build with the feature 'gst'".to_owned(),
        needed: true,
    });
    checks.extend(pictures());
    let landlock = std::fs::read_to_string("/sys/kernel/security/lsm").ok().filter(|l| l.contains("landlock"));
    checks.push(Check {
        what: "Landlock".to_owned(),
        found: landlock.map(|_| "enabled in the kernel".to_owned()),
        cost: "the rendering child process is not confined to its files (its other limits hold)".to_owned(),
        get: "a kernel of 5.13 or newer with 'landlock' among its security modules".to_owned(),
        needed: false,
    });
    checks
}

/// What some pictures need, and what this build has nothing to do with.
fn pictures() -> Vec<Check> {
    let mut checks = Vec::new();
    #[cfg(any(feature = "heif", feature = "jxl"))]
    checks.extend(crate::media::image::libraries().into_iter().map(|library| {
        let (found, why) = match library.version {
            Ok(version) => (Some(version), String::new()),
            Err(e) => (None, format!(" ({e})")),
        };
        Check {
            what: library.name.to_owned(),
            found,
            cost: format!("{}{why}", library.cost),
            get: format!("apt-get install {}", library.package),
            needed: true,
        }
    }));
    let built = [
        ("libheif", cfg!(feature = "heif"), "HEIC and AVIF cannot be read, nor AVIF written", "heif"),
        ("libjxl", cfg!(feature = "jxl"), "JPEG XL cannot be written", "jxl"),
    ];
    checks.extend(built.into_iter().filter(|(_, is, ..)| !is).map(|(name, _, cost, feature)| Check {
        what: name.to_owned(),
        found: None,
        cost: cost.to_owned(),
        get: format!("build with the feature '{feature}'"),
        needed: false,
    }));
    checks
}

#[cfg(feature = "gst")]
fn gstreamer() -> Vec<Check> {
    use crate::media::gst;
    let (found, why) = match gst::version() {
        Ok(version) => (Some(version), String::new()),
        Err(e) => (None, format!(" ({e})")),
    };
    let mut checks = vec![Check {
        what: "GStreamer".to_owned(),
        found,
        cost: format!("no audio or video renditions{why}"),
        get: "apt-get install gstreamer1.0-plugins-base".to_owned(),
        needed: true,
    }];
    checks.extend(gst::elements().into_iter().map(|e| Check {
        what: format!("GStreamer's {}", e.element),
        found: e.version.map(|v| format!("{v}, for {}", e.cost)),
        cost: format!("cannot be handled without it: {}", e.cost),
        get: format!("apt-get install {}", e.package),
        needed: true,
    }));
    checks
}
