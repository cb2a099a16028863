//! Publishing as its user does it, to places that are played on loopback.

mod delivered;
#[cfg(feature = "serve")]
mod endpoint;
mod instagram;
mod ledger;
mod platforms;
pub mod site;
mod stopped;
mod youtube;

use std::{fs, path::PathBuf, process::Command};

use crate::harness::{Archive, Ran, picture};

/// An archive with one film of so many bytes (whatever is in it), which counts as sound, and a picture that stands for it.
pub struct Desk {
    pub archive: Archive,
    pub asset: String,
}

impl Desk {
    /// One whose channels are these; `{dir}` stands for the archive's folder.
    pub fn new(channels: &str) -> Self {
        let archive = Archive::finished();
        let asset = archive.rows(
            "SELECT DISTINCT a.id FROM assets a JOIN renditions r ON r.asset = a.id
             WHERE r.entry = 'web_720p' AND r.active = 1 ORDER BY a.title",
        );
        let desk = Self { asset: asset.first().expect("a film").clone(), archive };
        desk.channels(channels);
        desk
    }

    pub fn channels(&self, yaml: &str) {
        fs::write(self.archive.root().join("channels.yaml"), yaml).unwrap();
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = self.archive.command(words);
        command.env("DAMCTL_SECRET_MAIN_ACCESS_TOKEN", SECRET);
        command
    }

    pub fn run(&self, words: &[&str]) -> Ran {
        self.command(words).output().unwrap().into()
    }

    /// The same, killed at a point.
    pub fn killed(&self, words: &[&str], point: &str) -> Ran {
        self.command(words).env("DAMCTL_CRASH_AT", point).output().unwrap().into()
    }

    /// Bytes of the file that an entry's rendition has.
    pub fn bytes(&self, entry: &str) -> Vec<u8> {
        let sql = format!(
            "SELECT prefix, files FROM renditions WHERE asset = '{}' AND entry = '{entry}' AND active = 1",
            self.asset
        );
        let row = self.archive.rows(&sql).remove(0);
        let (prefix, files) = row.split_once('|').unwrap();
        let files: serde_json::Value = serde_json::from_str(files).unwrap();
        fs::read(self.archive.store().join(prefix).join(files[0]["name"].as_str().unwrap())).unwrap()
    }

    /// Puts other bytes into the place of the rendition's file, so that it is as large as a test needs.
    pub fn grow(&self, entry: &str, bytes: &[u8]) -> PathBuf {
        let sql = format!(
            "SELECT prefix, files FROM renditions WHERE asset = '{}' AND entry = '{entry}' AND active = 1",
            self.asset
        );
        let row = self.archive.rows(&sql).remove(0);
        let (prefix, files) = row.split_once('|').unwrap();
        let mut files: serde_json::Value = serde_json::from_str(files).unwrap();
        let path = self.archive.store().join(prefix).join(files[0]["name"].as_str().unwrap());
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        files[0]["bytes"] = bytes.len().into();
        files[0]["digest"] = damctl::digest::Digest::of(bytes).to_string().into();
        let sql = "UPDATE renditions SET files = ?1 WHERE prefix = ?2";
        self.archive.catalog().execute(sql, [files.to_string(), prefix.to_owned()]).unwrap();
        path
    }

    /// States of all publications, in the order of their ids.
    pub fn states(&self) -> Vec<String> {
        self.archive.rows("SELECT state FROM publications ORDER BY id")
    }

    /// Kinds of the events about publications, in their order.
    pub fn events(&self) -> Vec<String> {
        self.archive.rows("SELECT kind FROM events WHERE kind LIKE 'publication.%' ORDER BY seq")
    }
}

/// What must be seen nowhere.
pub const SECRET: &str = "ya29.secret-of-the-account";

/// Every word that the program has said or written outside the place where secrets are kept.
pub fn all_said(desk: &Desk, runs: &[&Ran]) -> String {
    let mut all: String = runs.iter().map(|r| format!("{}{}", r.stdout, r.stderr)).collect();
    for table in ["events", "jobs", "attempts", "publications", "outlets"] {
        for row in desk.archive.rows(&format!("SELECT * FROM {table}")) {
            all.push_str(&row);
        }
    }
    all
}

/// A second asset, in the same archive.
pub fn another(desk: &Desk) -> String {
    let dir = desk.archive.root().join("more");
    fs::create_dir_all(&dir).unwrap();
    picture(&dir.join("another.png"), 77);
    desk.archive.ingest(&dir).0.ends(0);
    desk.archive.run(["transcode"]).ends(1);
    desk.archive.rows("SELECT id FROM assets WHERE title LIKE 'another%'").remove(0)
}
