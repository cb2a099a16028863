//! Speech by an HTTP endpoint: the text is posted, a WAV comes back.

use std::{io::Write, path::Path, sync::mpsc, time::Duration};

use super::{LARGEST, PATIENCE, too_large};
use crate::{
    block,
    error::{Doing, Error, Result},
    stop::Stop,
};

/// Its token, where it wants one.
const TOKEN: &str = "DAMCTL_TTS_TOKEN";

/// Posts a text and writes what comes back to a file.
pub(super) fn post(url: &str, text: &str, language: Option<&str>, to: &Path, stop: &Stop) -> Result<()> {
    let url =
        reqwest::Url::parse(url).map_err(|e| Error::invalid("the address that speaks cannot be used").because(e))?;
    // It may hold a secret: only its host is ever shown.
    let host = url.host_str().unwrap_or_default().to_owned();
    let mut builder = reqwest::Client::builder()
        .timeout(PATIENCE)
        .connect_timeout(Duration::from_secs(10))
        // Where the text goes is for whoever configured it to say.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("damctl/", env!("CARGO_PKG_VERSION")));
    if url.scheme() == "http" {
        // This machine is not asked for by way of another.
        builder = builder.no_proxy();
    }
    let client = builder.build().map_err(|e| Error::unavailable("cannot make an HTTP client").because(e))?;
    let mut request = client
        .post(url)
        .header("content-type", "text/plain; charset=utf-8")
        .header("accept", "audio/wav")
        .body(text.to_owned());
    if let Some(language) = language {
        request = request.header("content-language", language);
    }
    if let Ok(token) = std::env::var(TOKEN) {
        request = request.bearer_auth(token);
    }
    let (tell, told) = mpsc::channel();
    let (to, at) = (to.to_owned(), host.clone());
    // On a thread of its own, which is left behind when somebody asks to stop, and ends by its timeout.
    std::thread::spawn(move || tell.send(block::on(fetch(request, to, at)).and_then(|fetched| fetched)).ok());
    loop {
        stop.check()?;
        match told.recv_timeout(Duration::from_millis(50)) {
            Ok(fetched) => return fetched,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err(Error::internal("who asks for speech has gone")),
        }
    }
}

async fn fetch(request: reqwest::RequestBuilder, to: std::path::PathBuf, host: String) -> Result<()> {
    let silent = |e: reqwest::Error| {
        Error::unavailable(format!("what speaks at {host} does not answer"))
            .because(e.without_url())
            .hint("is it running, and is its address right?")
    };
    let mut answer = request.send().await.map_err(silent)?;
    let status = answer.status();
    let told = format!("what speaks at {host} answered {status}");
    match status.as_u16() {
        200..=299 => {}
        408 | 425 | 429 | 500..=599 => return Err(Error::unavailable(told)),
        401 | 403 => return Err(Error::invalid(told).hint(format!("{TOKEN} is sent as its token"))),
        _ => return Err(Error::invalid(told).hint("check its address")),
    }
    let mut file = std::fs::File::create(&to).doing(|| "cannot keep speech")?;
    let mut size = 0;
    while let Some(piece) = answer.chunk().await.map_err(silent)? {
        size += piece.len() as u64;
        if size > LARGEST {
            return Err(too_large());
        }
        file.write_all(&piece).doing(|| "cannot keep speech")?;
    }
    Ok(())
}
