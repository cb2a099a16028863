//! `damctl serve-search`: the HTTP endpoint.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use damctl::{
    serve::{self, Anonymous, Server},
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
        channels: Some(archive.settings.path("channels")),
        sense: Arc::new(archive.sense()?),
    };
    let server = Server::bind(archive.settings.listen()?)?;
    let address = server.address()?;
    let terms = archive.settings.terms()?;
    let scheme = if terms.tls.is_some() { "https" } else { "http" };
    print(format_args!("listening on {scheme}://{address}"));
    if !address.ip().is_loopback() {
        let note = |text: &str| reporter.report(&Event::Note { text });
        if matches!(terms.anonymous, Anonymous::Everybody(_)) {
            note(&format!("warning: {address} can be reached from other machines, and nobody is asked who they are"));
        }
        if terms.tls.is_none() {
            note(
                "warning: tokens go over the network as they are: give a certificate, or stand behind a proxy that has one",
            );
        }
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
            let served = server.run(served, &terms, stop);
            stop.trip();
            served?;
            Ok(Verdict::Done)
        })
    }
    #[cfg(not(any(feature = "webhook", feature = "nats")))]
    {
        server.run(served, &terms, stop)?;
        Ok(Verdict::Done)
    }
}
