//! The events as others hear of them: each subscriber gets every event, in order, at least once.
//!
//! How far each has heard stands in the catalog, so that any process on any host goes on from there; one at a time tells
//! it, by lease. What a subscriber has confirmed is not sent again; what it may have heard without confirming it is.

use std::time::{Duration, Instant};

use crate::{
    catalog::{Catalog, Event, Feed},
    error::{Error, Kind, Result},
    stop::Stop,
    work::Worker,
};

#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "webhook")]
mod webhook;

#[cfg(feature = "nats")]
pub use nats::{Nats, NatsConfig};
#[cfg(feature = "webhook")]
pub use webhook::{Webhook, WebhookConfig};

/// Events that are sent at a time.
const PAGE: i64 = 100;

/// How long a feed is held without a sign of life. Longer than any delivery may take.
const LEASE: Duration = Duration::from_secs(120);

/// How often whoever follows looks for news.
const LOOK: Duration = Duration::from_millis(500);

/// Tries of one who does not follow.
const TRIES: u32 = 5;

/// Somebody outside who hears of events.
pub trait Subscriber: Send + Sync {
    /// What its feed is called: the same for the same subscriber, and no secret.
    fn name(&self) -> String;

    /// Hands over events in their order, and returns when all of them are confirmed, within a minute. May be repeated.
    /// `Unavailable` heals by itself; anything else needs a person.
    fn deliver(&self, feed: &Feed, events: &[Event]) -> Result<()>;
}

/// What is worth saying while a subscriber is told.
#[derive(Debug)]
pub enum Progress<'a> {
    /// So many events were confirmed.
    Delivered(usize),
    /// It was not told, for this reason, and will be tried again after this time.
    Waiting(&'a Error, Duration),
    /// Another process tells it.
    Elsewhere,
}

/// Tells a subscriber what it has not heard; with `follow`, goes on until it is stopped. A feed that is new begins after
/// event `after`. Says how many events were confirmed.
///
/// Nothing is ever passed over: without `follow`, what cannot be delivered is an error after a few tries.
pub fn tell(
    catalog: &Catalog,
    to: &dyn Subscriber,
    (after, follow): (i64, bool),
    stop: &Stop,
    say: &mut dyn FnMut(&Progress<'_>),
) -> Result<usize> {
    let lease = LEASE.as_millis() as i64;
    let me = Worker::this();
    let is_dead = |name: &str| Worker::parse(name).is_some_and(|w| w.is_dead_to(&me));
    let mut count = 0;
    while !stop.is_tripped() {
        let taken = match catalog.take_feed(&to.name(), after, (&me.to_string(), &is_dead), lease) {
            Err(e) if follow && e.kind().is_retryable() => {
                say(&Progress::Waiting(&e, LEASE / 4));
                pause(LEASE / 4, stop);
                continue;
            }
            other => other?,
        };
        let Some(mut feed) = taken else {
            say(&Progress::Elsewhere);
            if !follow {
                return Ok(count);
            }
            pause(LEASE / 4, stop);
            continue;
        };
        let told = go_on(catalog, to, &mut feed, follow, stop, &mut |progress| {
            if let Progress::Delivered(n) = progress {
                count += n;
            }
            say(progress);
        });
        match told {
            // Whoever took it over goes on from what was confirmed.
            Err(e) if e.kind() == Kind::LeaseLost => {}
            // The catalog is away: what holds the feed is this process still.
            Err(e) if follow && e.kind().is_retryable() => {
                say(&Progress::Waiting(&e, LEASE / 4));
                pause(LEASE / 4, stop);
            }
            other => {
                catalog.release_feed(&feed)?;
                return other.map(|()| count);
            }
        }
    }
    Ok(count)
}

fn go_on(
    catalog: &Catalog,
    to: &dyn Subscriber,
    feed: &mut Feed,
    follow: bool,
    stop: &Stop,
    say: &mut dyn FnMut(&Progress<'_>),
) -> Result<()> {
    let lease = LEASE.as_millis() as i64;
    let (mut failures, mut beat) = (0, Instant::now());
    while !stop.is_tripped() {
        let page = catalog.events_after(feed.seq, PAGE)?;
        let Some(last) = page.last() else {
            if !follow {
                return Ok(());
            }
            if beat.elapsed() > LEASE / 4 {
                *feed = catalog.feed_told(feed, feed.seq, None, lease)?;
                beat = Instant::now();
            }
            pause(LOOK, stop);
            continue;
        };
        beat = Instant::now();
        match to.deliver(feed, &page) {
            Ok(()) => {
                *feed = catalog.feed_told(feed, last.seq, None, lease)?;
                failures = 0;
                say(&Progress::Delivered(page.len()));
            }
            Err(e) => {
                failures += 1;
                *feed = catalog.feed_told(feed, feed.seq, Some(&e.one_line()), lease)?;
                if !follow && (failures == TRIES || e.kind() != Kind::Unavailable) {
                    return Err(e);
                }
                // Not longer than the lease is good for.
                let wait = Duration::from_millis(500 << (failures - 1).min(7)).min(LEASE / 2);
                say(&Progress::Waiting(&e, wait));
                pause(wait, stop);
            }
        }
    }
    Ok(())
}

fn pause(time: Duration, stop: &Stop) {
    let until = Instant::now() + time;
    while Instant::now() < until && !stop.is_tripped() {
        std::thread::sleep(Duration::from_millis(50).min(time));
    }
}
