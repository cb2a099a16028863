//! FTP and FTPS, against pyftpdlib's server.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use damctl::{
    channel::{Channel, FtpChannel},
    error::{Error, Kind},
    profile::channels::{Check, Ftp, Tls},
};

use super::{
    Bytes, Told, account,
    dropped::{self, Server},
};
use crate::harness;

struct Ftpd {
    dir: tempfile::TempDir,
    child: Child,
    port: u16,
    root: PathBuf,
    tls: Tls,
}

impl Ftpd {
    /// `None` where there is no server to be had; it is said.
    fn start(tls: Tls, options: &[&str]) -> Option<Self> {
        if !harness::repository("target/test-tools/pyftpdlib").is_dir() {
            eprintln!("skipped: pyftpdlib is not here (scripts/setup test)");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        let mut command = Command::new(harness::repository("tests/ftpd"));
        command.arg(&root).args(options).arg("--cuts").arg(dir.path().join("cuts"));
        if tls != Tls::None {
            certify(dir.path());
            command.arg("--tls").arg(dir.path().join("server.pem"));
        }
        if tls == Tls::Implicit {
            command.arg("--implicit");
        }
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port =
            line.trim().parse().unwrap_or_else(|_| panic!("{}", fs::read_to_string(dir.path().join("log")).unwrap()));
        Some(Self { dir, child, port, root, tls })
    }

    fn place(&self, path: &str) -> Ftp {
        let ca = (self.tls != Tls::None).then(|| self.dir.path().join("ca.pem"));
        let (host, port) = ("localhost".to_owned(), Some(self.port));
        Ftp { host, port, path: path.to_owned(), tls: self.tls, ca, check: Check::Hash }
    }
}

impl Drop for Ftpd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A certificate for `localhost` by an authority of its own.
fn certify(dir: &Path) {
    let script = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 \
        -subj /CN=Tests && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out req.pem \
        -subj /CN=localhost && printf 'subjectAltName=DNS:localhost\\n' >ext && openssl x509 -req -in req.pem -CA ca.pem \
        -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out cert.pem && cat key.pem cert.pem >server.pem";
    let made = Command::new("sh").args(["-c", script]).current_dir(dir).output().unwrap();
    assert!(made.status.success(), "{made:?}");
}

impl Server for Ftpd {
    fn root(&self) -> &Path {
        &self.root
    }

    fn channel(&self, path: &str, check: Check) -> Box<dyn Channel> {
        Box::new(FtpChannel::new(Ftp { check, ..self.place(path) }, account(&[("user", "u"), ("password", "p")])))
    }

    fn breaking(&self, path: &str, check: Check, cuts: Vec<usize>) -> Box<dyn Channel> {
        let lines: Vec<String> = cuts.iter().map(ToString::to_string).collect();
        fs::write(self.dir.path().join("cuts"), lines.join("\n")).unwrap();
        self.channel(path, check)
    }
}

#[test]
fn ftp_servers_of_every_kind_get_whole_files_once_and_never_over_somebody_elses() {
    let kinds: [(Tls, &[&str]); 4] =
        [(Tls::Explicit, &[]), (Tls::Implicit, &[]), (Tls::None, &["--hash"]), (Tls::None, &["--old"])];
    for (tls, options) in kinds {
        let Some(server) = Ftpd::start(tls, options) else { return };
        dropped::a_package_arrives_whole_is_found_and_taken_back(&server, Check::Read);
        dropped::nothing_of_somebody_elses_is_overwritten(&server);
        if options == ["--hash"] {
            let mut bytes = Bytes::default();
            let film = bytes.item("hashed.mp4", "video/mp4", super::noise(300_000, 2));
            let mut told = Told::default();
            let channel = server.channel("", Check::Hash);
            channel.send(&bytes.package(vec![film]), None, &mut told).unwrap();
            let fate = format!("{:?}", channel.find(&bytes.package(vec![]), told.last()));
            assert!(fate.contains("nothing to send"), "{fate}");
        }
    }
}

#[test]
fn an_upload_by_ftp_that_was_cut_goes_on_where_it_stands() {
    for tls in [Tls::None, Tls::Explicit] {
        let Some(server) = Ftpd::start(tls, &[]) else { return };
        dropped::a_cut_upload_goes_on_where_it_stands(&server, vec![1_234_567, 700_001, 5_000_003]);
        dropped::a_part_with_other_bytes_is_sent_anew(&server);
    }
}

#[test]
fn a_servers_own_hash_proves_what_arrived_and_one_that_differs_is_no_success() {
    let Some(server) = Ftpd::start(Tls::None, &["--hash"]) else { return };
    let mut bytes = Bytes::default();
    let film = bytes.item("film.mp4", "video/mp4", super::noise(300_000, 2));
    let channel = server.channel("in", Check::Hash);
    let sent = format!("{:?}", channel.send(&bytes.package(vec![film.clone()]), None, &mut Told::default()).unwrap());
    assert!(sent.contains("the server's hash"), "{sent}");
    // The archive's bytes have changed since they were recorded.
    let film = damctl::channel::Item { name: "other.mp4".to_owned(), ..film };
    bytes.spoil(&film, super::noise(300_000, 3));
    let error = channel.send(&bytes.package(vec![film]), None, &mut Told::default()).unwrap_err();
    assert!(error.one_line().contains("other bytes than were sent"), "{error:?}");
    assert_eq!(fs::read_dir(server.root().join("in")).unwrap().count(), 1);
}

#[test]
fn who_is_not_let_in_or_not_trusted_by_ftp_is_told_why() {
    let Some(server) = Ftpd::start(Tls::Explicit, &["--read-only"]) else { return };
    let refused = |place: Ftp, password: &str| -> Error {
        FtpChannel::new(place, account(&[("user", "u"), ("password", password)])).standing().unwrap_err()
    };
    let cases = [
        (refused(server.place(""), "s3cret-wrong"), Kind::Invalid, "does not let 'u' in"),
        (refused(Ftp { ca: None, ..server.place("") }, "p"), Kind::Invalid, "is not to be trusted"),
        (refused(Ftp { host: "127.0.0.1".to_owned(), ..server.place("") }, "p"), Kind::Invalid, "is not to be trusted"),
        (refused(Ftp { tls: Tls::None, ..server.place("") }, "p"), Kind::Invalid, ""),
        (refused(Ftp { port: Some(1), ..server.place("") }, "p"), Kind::Unavailable, "cannot be reached"),
    ];
    for (error, kind, words) in cases {
        let all = format!("{error:?}");
        assert!(error.kind() == kind && all.contains(words) && error.hint_text().is_some(), "{all}");
        assert!(!all.contains("s3cret-wrong"), "{all}");
    }
    let mut bytes = Bytes::default();
    let film = bytes.item("film.mp4", "video/mp4", vec![1; 1000]);
    let channel = server.channel("", Check::Hash);
    let error = channel.send(&bytes.package(vec![film]), None, &mut Told::default()).unwrap_err();
    assert!(error.kind() == Kind::Invalid && error.hint_text().is_some(), "{error:?}");
    // One that does not encrypt.
    let Some(plain) = Ftpd::start(Tls::None, &[]) else { return };
    let error = refused(Ftp { tls: Tls::Explicit, ..plain.place("") }, "p");
    assert!(error.kind() == Kind::Invalid && error.one_line().contains("does not encrypt"), "{error:?}");
}
