//! TensorFlow.js graphs as ONNX: by a script of NumPy, which comes with this program.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::error::{Doing, Error, Result};

const SCRIPT: &str = include_str!("../../scripts/tfjs-to-onnx");

/// Converts the graph in a folder, `model.json` with its weights beside it. `output`: the node whose value is wanted.
pub(super) fn convert(dir: &Path, output: &str, to: &Path) -> Result<()> {
    let script = dir.join("tfjs-to-onnx.py");
    std::fs::write(&script, SCRIPT).doing(|| format!("cannot write {}", script.display()))?;
    let mut failure = Error::unsupported("'python3', which converts the model, is not here")
        .hint("install it: Debian's packages python3 and python3-numpy");
    // The one of the search path may be another than the system's, which Debian's NumPy is for.
    for python in ["python3", "/usr/bin/python3"] {
        let files = [script.as_path(), &dir.join("model.json"), to];
        let run = match Command::new(python).args(files).arg(output).stdin(Stdio::null()).output() {
            Ok(run) if run.status.success() => return Ok(()),
            Ok(run) => run,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(crate::error::io(format!("cannot start '{python}'"), e)),
        };
        let said = String::from_utf8_lossy(&run.stderr);
        let last = said.trim().lines().last().unwrap_or_default().to_owned();
        let e = Error::unsupported(format!("the model could not be converted: {last}"));
        if !last.contains("numpy") {
            return Err(e);
        }
        failure = e.hint("install Debian's package python3-numpy");
    }
    Err(failure)
}
