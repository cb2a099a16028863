//! What the system does not let a process do.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::*;
use crate::error::Kind;

/// As a user who is none of the files' own: root may do everything.
fn as_somebody_else<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if rustix::process::geteuid().is_root() {
                let nobody = rustix::process::Uid::from_raw(65534);
                rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
            }
            work()
        });
        thread.join().unwrap()
    })
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A folder and all that lies in it.
fn below(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let each = entries.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] });
    std::iter::once(dir.to_owned()).chain(each).collect()
}

#[test]
fn all_files_of_an_index_go_by_the_umask_and_who_may_only_read_can_ask() {
    let archive = index(&[plain("a.mov"), plain("b.mov"), plain("c.mov")], 2);
    let dir = archive.dir.path();
    File::create(dir.join("usual")).unwrap();
    let usual = mode(&dir.join("usual"));
    let all: Vec<PathBuf> = below(dir).into_iter().filter(|path| path.is_file()).collect();
    assert!(
        all.iter().any(|path| path.ends_with("current.json")) && all.iter().any(|path| path.ends_with("meta.json"))
    );
    for path in all {
        assert_eq!(mode(&path), usual, "{}", path.display());
    }
    fs::set_permissions(dir, Permissions::from_mode(0o755)).unwrap();
    let found = as_somebody_else(|| Searcher::new(dir).search(&Question { words: "mov", ..Question::default() }));
    match usual & 0o004 {
        0 => eprintln!("skipped: by the umask nobody else may read"),
        _ => assert_eq!(found.unwrap().total, 3),
    }
}

#[test]
fn who_may_not_write_is_told_so_and_not_that_the_index_is_damaged() {
    let archive = index(&[plain("a.mov")], 1);
    let dir = archive.dir.path();
    let id = current(dir).unwrap().unwrap();
    for path in below(dir) {
        fs::set_permissions(&path, Permissions::from_mode(if path.is_dir() { 0o555 } else { 0o444 })).unwrap();
    }
    let e = as_somebody_else(|| Writer::open(dir, &id.id, 0, 1).map(drop).unwrap_err());
    assert_eq!(e.kind(), Kind::Invalid);
    assert_eq!(e.one_line(), "cannot write to the index: Permission denied (os error 13)");
    let hint = e.hint_text().unwrap();
    assert!(hint.contains("damctl runs as user") && !hint.contains("--rebuild"), "{hint}");
    for path in below(dir).into_iter().filter(|path| path.is_dir()) {
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn a_writer_that_was_refused_tells_why_and_writes_all_that_it_is_given_later() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
    as_somebody_else(|| {
        let id = beside(dir.path(), 1).unwrap();
        let writer = Writer::open(dir.path(), &id.id, 0, 2).unwrap();
        let shard = folder::shard_path(dir.path(), &id.id, 0);
        fs::set_permissions(&shard, Permissions::from_mode(0o555)).unwrap();
        let refused =
            (0..3).map(|_| writer.replace(&[plain("a.mov")], &[]).and_then(|()| writer.commit()).unwrap_err());
        let refused: Vec<_> = refused.collect();
        fs::set_permissions(&shard, Permissions::from_mode(0o755)).unwrap();
        assert!(refused[0].one_line().contains("Permission denied"), "{:?}", refused[0]);
        assert!(refused.iter().all(|e| !e.hint_text().unwrap_or_default().contains("--rebuild")), "{refused:?}");
        // The same writer, if it is one still; else whoever comes next.
        let title = match writer.replace(&[plain("b.mov")], &[]).and_then(|()| writer.commit()) {
            Ok(()) => "b.mov",
            Err(e) => {
                assert_eq!(e.kind(), Kind::Unavailable, "{e:?}");
                drop(writer);
                let writer = Writer::open(dir.path(), &id.id, 0, 2).unwrap();
                writer.replace(&[plain("c.mov")], &[]).and_then(|()| writer.commit()).unwrap();
                "c.mov"
            }
        };
        switch(dir.path(), &id).unwrap();
        let answer = Searcher::new(dir.path()).search(&Question::default()).unwrap();
        assert_eq!(answer.hits.iter().map(|hit| hit.card.title.as_str()).collect::<Vec<_>>(), [title]);
    });
}
