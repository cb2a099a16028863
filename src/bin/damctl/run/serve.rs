//! `damctl serve-search`: the HTTP endpoint.

use std::time::Duration;

use anyhow::Result;
use damctl::{
    serve::{self, Server},
    stop::Stop,
    work::{Event, Reporter},
};

use super::{Archive, Verdict, print};

pub fn run(archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    let served = serve::Archive {
        // Whoever asks is told in time that it is away.
        catalog: archive.catalog_within(Duration::from_secs(10))?,
        store: archive.store()?,
        searcher: super::search::searcher(archive)?,
    };
    let server = Server::bind(archive.settings.listen()?)?;
    let address = server.address()?;
    print(format_args!("listening on http://{address}"));
    if !address.ip().is_loopback() {
        let text = format!("warning: {address} can be reached from other machines, and nobody is asked who they are");
        reporter.report(&Event::Note { text: &text });
    }
    #[cfg(any(feature = "webhook", feature = "nats"))]
    {
        let (subscribers, catalog) = (archive.settings.subscribers()?, served.catalog.clone());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for e in super::events::tell_all(&catalog, &subscribers, (0, true), reporter, stop)
                    .into_iter()
                    .flat_map(Result::err)
                {
                    // Whoever asks for pages is answered all the same.
                    reporter
                        .report(&Event::Note { text: &format!("warning: no events are delivered: {}", e.one_line()) });
                }
            });
            let served = server.run(served, stop);
            stop.trip();
            served?;
            Ok(Verdict::Done)
        })
    }
    #[cfg(not(any(feature = "webhook", feature = "nats")))]
    {
        server.run(served, stop)?;
        Ok(Verdict::Done)
    }
}
