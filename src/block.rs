//! The door between the synchronous core and its asynchronous edges: the one tokio runtime.

use std::sync::OnceLock;

use crate::error::{Error, Result};

/// Runs a future to its end on the process's one runtime.
pub fn on<F: Future>(future: F) -> Result<F::Output> {
    static RUNTIME: OnceLock<std::io::Result<tokio::runtime::Runtime>> = OnceLock::new();
    let start = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match RUNTIME.get_or_init(start) {
        Ok(runtime) => Ok(runtime.block_on(future)),
        Err(e) => Err(Error::unavailable(format!("cannot start the runtime: {e}"))),
    }
}
