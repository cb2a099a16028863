//! What an index could not do, in words: what the system refused, what is damaged, what another process does.

use std::{
    io::{self, ErrorKind},
    path::Path,
    sync::Arc,
};

use tantivy::{
    TantivyError,
    directory::error::{LockError, OpenDirectoryError, OpenReadError, OpenWriteError},
};

use crate::error::{Error, Kind};

/// The error of what was being done.
pub(super) fn failed(doing: &'static str) -> impl Fn(TantivyError) -> Error {
    move |e| match e {
        TantivyError::IoError(e) => refused(doing, None, &e),
        TantivyError::OpenReadError(OpenReadError::IoError { io_error, filepath })
        | TantivyError::OpenWriteError(OpenWriteError::IoError { io_error, filepath }) => {
            refused(doing, Some(&filepath), &io_error)
        }
        TantivyError::OpenDirectoryError(OpenDirectoryError::IoError { io_error, directory_path }) => {
            refused(doing, Some(&directory_path), &io_error)
        }
        TantivyError::LockFailure(LockError::IoError(e), _) => refused(doing, None, &e),
        TantivyError::LockFailure(LockError::LockBusy, _) => {
            Error::unavailable(doing).because("another process writes to it").hint("try again when it is through")
        }
        TantivyError::OpenReadError(OpenReadError::FileDoesNotExist(path))
        | TantivyError::OpenDirectoryError(OpenDirectoryError::DoesNotExist(path)) => {
            damaged(doing, format!("{} is not there", path.display()))
        }
        TantivyError::DataCorruption(what) => damaged(doing, format!("{what:?}")),
        TantivyError::OpenReadError(OpenReadError::IncompatibleIndex(_)) | TantivyError::IncompatibleIndex(_) => {
            damaged(doing, "it was made by another version of damctl".to_owned())
        }
        // Only that it came to an end is known; what it came to an end of may be told by the program's own words.
        TantivyError::ErrorInThread(why) => Error::internal(doing)
            .because(why)
            .hint("see that there is room on the disk and that it can be written to, then run the same command again"),
        e => Error::internal(doing).because(e.to_string()).hint("'damctl index --rebuild' makes a new index"),
    }
}

/// What the system has refused: by its own words and, where it is known, with the file.
fn refused(doing: &str, file: Option<&Path>, e: &Arc<io::Error>) -> Error {
    let doing = file.map_or_else(|| doing.to_owned(), |file| format!("{doing}: {}", file.display()));
    match e.kind() {
        // Of a file that says something else than what was written.
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof | ErrorKind::NotFound => damaged(&doing, e.to_string()),
        kind => {
            let own = e.raw_os_error().map(io::Error::from_raw_os_error);
            let told = crate::error::io(&doing, own.unwrap_or_else(|| io::Error::new(kind, e.to_string())));
            match told.kind() {
                // The next asset would fare no better.
                Kind::Unavailable => Error::paused(doing)
                    .because(e.to_string())
                    .hint("see in the system's log what is wrong with the disk, then run the same command again"),
                _ => told,
            }
        }
    }
}

fn damaged(doing: &str, why: String) -> Error {
    Error::new(Kind::Corrupt, doing).because(why).hint("the index is damaged: 'damctl index --rebuild' makes a new one")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(e: impl Into<TantivyError>) -> (Kind, String, String) {
        let e = failed("cannot write to the index")(e.into());
        (e.kind(), e.one_line(), e.hint_text().unwrap_or_default().to_owned())
    }

    #[test]
    fn each_cause_is_told_in_plain_words_with_what_helps_against_it() {
        let system = |code: i32| io::Error::from_raw_os_error(code);
        let (kind, text, hint) = told(OpenWriteError::wrap_io_error(system(13), "a.store".into()));
        assert_eq!(
            (kind, text.as_str()),
            (Kind::Invalid, "cannot write to the index: a.store: Permission denied (os error 13)")
        );
        assert!(hint.contains("ls -ld") && !hint.contains("--rebuild"), "{hint}");
        let (kind, text, hint) = told(LockError::wrap_io_error(system(13)));
        assert_eq!(
            (kind, text.as_str()),
            (Kind::Invalid, "cannot write to the index: Permission denied (os error 13)")
        );
        assert!(hint.contains("ls -ld"), "{hint}");
        for error in [TantivyError::from(system(28)), OpenWriteError::wrap_io_error(system(28), "b".into()).into()] {
            let (kind, text, hint) = told(error);
            assert_eq!(kind, Kind::Paused);
            assert!(text.ends_with("No space left on device (os error 28)"), "{text}");
            assert!(hint.contains("free some space") && !hint.contains("--rebuild"), "{hint}");
        }
        let (kind, text, hint) = told(system(5));
        assert!(kind == Kind::Paused && text.ends_with("Input/output error (os error 5)"), "{text}");
        assert!(hint.contains("the disk"), "{hint}");
        for error in [
            TantivyError::from(OpenReadError::FileDoesNotExist("c.idx".into())),
            TantivyError::from(io::Error::new(ErrorKind::InvalidData, "expected value at line 1")),
            TantivyError::DataCorruption(tantivy::error::DataCorruption::comment_only("a checksum")),
        ] {
            let (kind, text, hint) = told(error);
            assert!(kind == Kind::Corrupt && hint.contains("--rebuild"), "{text}: {hint}");
        }
        let (kind, text, _) = told(LockError::LockBusy);
        assert_eq!(
            (kind, text.as_str()),
            (Kind::Unavailable, "cannot write to the index: another process writes to it")
        );
        let (_, text, hint) = told(TantivyError::ErrorInThread("it has ended".to_owned()));
        assert!(!hint.contains("--rebuild") && text.ends_with("it has ended"), "{text}: {hint}");
    }
}
