//! SFTP, against OpenSSH's own server.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use damctl::{
    channel::{Account, Channel, SftpChannel},
    error::{Error, Kind},
    profile::channels::{Check, Sftp},
};

use super::{
    Bytes, Told, account,
    dropped::{self, Server},
    noise,
};
use crate::harness;

struct Sshd {
    dir: tempfile::TempDir,
    port: u16,
    root: PathBuf,
}

impl Sshd {
    fn start(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let out =
            Command::new(harness::repository("tests/sshd")).arg("up").arg(dir.path()).args(options).output().unwrap();
        assert!(out.status.success(), "{out:?}");
        let port = String::from_utf8_lossy(&out.stdout).trim().parse().unwrap();
        let root = dir.path().join("root");
        Self { dir, port, root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn user(&self) -> String {
        let out = Command::new("id").arg("-un").output().unwrap();
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }

    fn account(&self) -> Account {
        account(&[("user", &self.user()), ("key", &fs::read_to_string(self.path("id")).unwrap())])
    }

    fn place(&self, path: &str) -> Sftp {
        Sftp {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            path: path.to_owned(),
            known_hosts: Some(self.path("known_hosts")),
            check: Check::Hash,
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = Command::new(harness::repository("tests/sshd")).arg("down").arg(self.dir.path()).status();
    }
}

impl Server for Sshd {
    fn root(&self) -> &Path {
        &self.root
    }

    fn channel(&self, path: &str, check: Check) -> Box<dyn Channel> {
        Box::new(SftpChannel::new(Sftp { check, ..self.place(path) }, self.account()))
    }

    fn breaking(&self, path: &str, check: Check, cuts: Vec<usize>) -> Box<dyn Channel> {
        let port = super::breaking(self.port, cuts);
        // The same server by another way: it is known there as well.
        let known = fs::read_to_string(self.path("known_hosts")).unwrap();
        let file = self.path("known_hosts.broken");
        fs::write(&file, known.replace(&self.port.to_string(), &port.to_string())).unwrap();
        let place = Sftp { port, known_hosts: Some(file), check, ..self.place(path) };
        Box::new(SftpChannel::new(place, self.account()))
    }
}

#[test]
fn openssh_gets_whole_files_once_and_never_over_somebody_elses() {
    let server = Sshd::start(&[]);
    dropped::a_package_arrives_whole_is_found_and_taken_back(&server, Check::Read);
    dropped::nothing_of_somebody_elses_is_overwritten(&server);
    // An absolute folder, and the user's own.
    let absolute = server.root().join("absolute").display().to_string();
    for path in [absolute.as_str(), ""] {
        let mut bytes = Bytes::default();
        let film = bytes.item("home.mp4", "video/mp4", noise(300_000, 2));
        server.channel(path, Check::Hash).send(&bytes.package(vec![film]), None, &mut Told::default()).unwrap();
    }
    assert_eq!(fs::read(server.root().join("absolute/home.mp4")).unwrap(), noise(300_000, 2));
    assert_eq!(fs::read(server.root().join("home.mp4")).unwrap(), noise(300_000, 2));
}

#[test]
fn an_upload_to_openssh_that_was_cut_goes_on_where_it_stands() {
    let server = Sshd::start(&[]);
    dropped::a_cut_upload_goes_on_where_it_stands(&server, vec![1_234_567, 700_001, 5_000_003]);
    dropped::a_part_with_other_bytes_is_sent_anew(&server);
}

fn refused(place: Sftp, account: Account) -> Error {
    SftpChannel::new(place, account).standing().unwrap_err()
}

#[test]
fn whose_key_is_not_known_is_refused_with_its_fingerprint() {
    let server = Sshd::start(&[]);
    let out = Command::new("ssh-keygen").arg("-lf").arg(server.path("host.pub")).output().unwrap();
    let print = String::from_utf8_lossy(&out.stdout).split(' ').nth(1).unwrap().to_owned();
    assert!(print.starts_with("SHA256:"), "{print}");
    let known = fs::read_to_string(server.path("known_hosts")).unwrap();
    let with = |name: &str, text: &str| {
        fs::write(server.path(name), text).unwrap();
        Sftp { known_hosts: Some(server.path(name)), ..server.place("in") }
    };
    let other = fs::read_to_string(server.path("id.pub")).unwrap();
    let other = format!("[127.0.0.1]:{} {}", server.port, other.trim());
    let cases = [
        (with("none", ""), "is not known"),
        (Sftp { known_hosts: Some(server.path("absent")), ..server.place("in") }, "is not known"),
        (with("changed", &format!("# a comment\n{other}\n")), "has another key than"),
        (with("revoked", &format!("{known}@revoked * {}", known.split_once(' ').unwrap().1)), "was revoked"),
    ];
    for (place, words) in cases {
        let error = refused(place, server.account());
        assert_eq!(error.kind(), Kind::Invalid, "{error:?}");
        assert!(error.one_line().contains(words) && error.hint_text().is_some(), "{error:?}");
        assert!(words == "was revoked" || error.one_line().contains(&print), "{error:?}");
    }
    assert!(
        refused(with("changed", &format!("# a comment\n{other}\n")), server.account()).one_line().contains("changed:2")
    );
    // A hashed line, and one of several that is right.
    fs::write(server.path("hashed"), format!("{other}\n{known}")).unwrap();
    let hashed = Command::new("ssh-keygen").arg("-Hf").arg(server.path("hashed")).output().unwrap();
    assert!(hashed.status.success());
    let place = Sftp { known_hosts: Some(server.path("hashed")), ..server.place("in") };
    SftpChannel::new(place, server.account()).standing().unwrap();
}

#[test]
fn who_is_not_let_in_or_may_not_write_is_told_why() {
    let server = Sshd::start(&["-R"]);
    let user = server.user();
    let key = fs::read_to_string(server.path("id")).unwrap();
    let locked = Command::new("ssh-keygen")
        .args(["-q", "-p", "-P", "", "-N", "open sesame", "-f"])
        .arg(server.path("id"))
        .output();
    assert!(locked.unwrap().status.success());
    let locked = fs::read_to_string(server.path("id")).unwrap();
    let stranger =
        Command::new("ssh-keygen").args(["-q", "-t", "ecdsa", "-N", "", "-f"]).arg(server.path("other")).output();
    assert!(stranger.unwrap().status.success());
    let stranger = fs::read_to_string(server.path("other")).unwrap();

    let open = account(&[("user", &user), ("key", &locked), ("passphrase", "open sesame")]);
    let name = SftpChannel::new(server.place("in"), open).standing().unwrap().name;
    assert_eq!(name, Some(format!("{user}@127.0.0.1")));

    let cases: [(&[(&str, &str)], &str); 7] = [
        (&[("user", &user), ("key", &locked)], "the account's key is encrypted"),
        (&[("user", &user), ("key", &locked), ("passphrase", "wrong")], "does not open its key"),
        (&[("user", &user), ("key", "nonsense")], "cannot be read"),
        (&[("user", &user), ("key", &stranger)], "does not let"),
        (&[("user", &user), ("password", "s3cret-wrong")], "does not let"),
        (&[("user", &user)], "neither key nor password"),
        (&[("key", &key)], "has no user"),
    ];
    for (fields, words) in cases {
        let error = refused(server.place("in"), account(fields));
        assert_eq!(error.kind(), Kind::Invalid, "{error:?}");
        let all = format!("{error:?}");
        assert!(all.contains(words) && error.hint_text().is_some() || words.contains("open its"), "{all}");
        assert!(!all.contains("s3cret-wrong") && !all.contains("PRIVATE"), "{all}");
    }
    let nobody = Sftp { port: 1, ..server.place("in") };
    let error = refused(nobody, account(&[("user", &user), ("key", &key)]));
    assert!(
        error.kind() == Kind::Unavailable && error.one_line().contains("127.0.0.1:1 cannot be reached"),
        "{error:?}"
    );

    let mut bytes = Bytes::default();
    let film = bytes.item("film.mp4", "video/mp4", vec![1; 1000]);
    let channel = SftpChannel::new(server.place(""), account(&[("user", &user), ("key", &key)]));
    let error = channel.send(&bytes.package(vec![film]), None, &mut Told::default()).unwrap_err();
    assert!(error.kind() == Kind::Invalid && error.one_line().contains("permission denied"), "{error:?}");
}
