//! `damctl serve-search`: the HTTP endpoint.

use anyhow::Result;
use damctl::{
    search::Searcher,
    serve::{self, Server},
    stop::Stop,
    work::{Event, Reporter},
};

use super::{Archive, Verdict, print};

pub fn run(archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    let served = serve::Archive {
        catalog: archive.catalog()?,
        store: archive.store()?,
        searcher: Searcher::new(&archive.settings.path("index")),
    };
    let server = Server::bind(archive.settings.listen()?)?;
    let address = server.address()?;
    print(format_args!("listening on http://{address}"));
    if !address.ip().is_loopback() {
        let text = format!("warning: {address} can be reached from other machines, and nobody is asked who they are");
        reporter.report(&Event::Note { text: &text });
    }
    server.run(served, stop)?;
    Ok(Verdict::Done)
}
