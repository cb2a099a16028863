//! Runs the cluster's own programs.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use crate::error::{Doing, Error, Kind, Result};

/// What a program said.
pub(super) struct Said {
    pub(super) is_done: bool,
    pub(super) out: String,
    pub(super) err: String,
}

/// Runs a program to its end, with this on its standard input.
pub(super) fn run(name: &str, args: &[String], input: &str) -> Result<Said> {
    let mut command = Command::new(name);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::new(Kind::NotFound, format!("{name} is not here"))
            .hint("leave --submit out, and submit what is printed on a machine that has it"),
        _ => crate::error::io(format!("cannot start {name}"), e),
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read is told by how it ends.
        stdin.write_all(input.as_bytes()).ok();
    }
    let out = child.wait_with_output().doing(|| format!("cannot hear {name}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Said { is_done: out.status.success(), out: text(&out.stdout), err: text(&out.stderr) })
}
