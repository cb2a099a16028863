//! The door between the synchronous core and its asynchronous edges: the one tokio runtime.

use std::{sync::OnceLock, time::Duration};

use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

use crate::error::{Error, Result};

/// How often it is looked whether somebody wants to stop.
const LOOK: Duration = Duration::from_millis(100);

fn runtime() -> Result<&'static Runtime> {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    let start = || Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match RUNTIME.get_or_init(start) {
        Ok(runtime) => Ok(runtime),
        Err(e) => Err(Error::unavailable(format!("cannot start the runtime: {e}"))),
    }
}

/// Runs a future to its end on the process's one runtime.
pub fn on<F: Future>(future: F) -> Result<F::Output> {
    Ok(runtime()?.block_on(future))
}

/// The same as long as `check` finds nothing against it: then the future is dropped where it stands, and the error is that of
/// `check`.
pub fn until<F: Future>(check: &dyn Fn() -> Result<()>, future: F) -> Result<F::Output> {
    runtime()?.block_on(async {
        let mut future = std::pin::pin!(future);
        loop {
            check()?;
            if let Ok(done) = tokio::time::timeout(LOOK, future.as_mut()).await {
                return Ok(done);
            }
        }
    })
}

/// Lets a future run on its own; its handle tells when it has ended.
pub fn spawn<F>(future: F) -> Result<JoinHandle<F::Output>>
where
    F: Future<Output: Send> + Send + 'static,
{
    Ok(runtime()?.spawn(future))
}
