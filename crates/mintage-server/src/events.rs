//! What has changed, as one stream of server-sent events a browser, with resumption.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::response::{
    IntoResponse, Response,
    sse::{Event, KeepAlive, Sse},
};
use futures_util::{StreamExt, stream};
use serde_json::Value;
use tokio::sync::{broadcast, watch};
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};

use crate::lock;

/// Changes that a stream that was broken off can catch up with.
const MAX_KEPT_CHANGES: usize = 512;
/// Changes that wait for a slow reader; then it is sent the whole state instead.
const MAX_WAITING_CHANGES: usize = 256;
/// Streams at once; each holds a connection.
pub(crate) const MAX_STREAMS: usize = 256;
/// Between comments that keep a stream from being taken for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Something that has changed.
#[derive(Clone, Debug)]
pub struct Change {
    id: u64,
    /// `jobs`, `runs` or `run:ID`.
    topic: String,
    /// The name of the event.
    name: &'static str,
    data: Value,
}

/// All changes, for whoever listens.
pub struct Events {
    changes: broadcast::Sender<Arc<Change>>,
    kept: Mutex<(u64, VecDeque<Arc<Change>>)>,
    streams: Arc<AtomicUsize>,
    /// Becomes true when the server ends: streams end first, or they would hold it open.
    ended: watch::Sender<bool>,
}

impl Events {
    /// Nothing has happened yet. Ids go on from `first`, so that those of an earlier server mean nothing here.
    pub fn new(first: u64) -> Self {
        Self {
            changes: broadcast::channel(MAX_WAITING_CHANGES).0,
            kept: Mutex::new((first, VecDeque::new())),
            streams: Arc::default(),
            ended: watch::channel(false).0,
        }
    }

    /// Tells all listeners of a change.
    pub fn send(&self, topic: impl Into<String>, name: &'static str, data: Value) {
        let mut kept = lock(&self.kept);
        kept.0 += 1;
        let change = Arc::new(Change { id: kept.0, topic: topic.into(), name, data });
        if kept.1.len() == MAX_KEPT_CHANGES {
            kept.1.pop_front();
        }
        kept.1.push_back(change.clone());
        // Nobody may be listening.
        let _ = self.changes.send(change);
    }

    /// Whether anybody listens.
    pub fn are_heard(&self) -> bool {
        self.streams.load(Ordering::Relaxed) > 0
    }

    /// Ends all streams.
    pub fn end(&self) {
        self.ended.send_replace(true);
    }

    /// A stream of the changes of some topics, from `last` on where they are still known, or else after a snapshot.
    /// Nothing where there are too many streams already.
    pub fn stream(
        self: &Arc<Self>,
        topics: Vec<String>,
        last: Option<u64>,
        snapshot: impl Fn() -> Value + Send + 'static,
    ) -> Option<Response> {
        let place = Place::take(&self.streams)?;
        let (missed, last_id) = self.since(last);
        let receiver = BroadcastStream::new(self.changes.subscribe());
        let wanted = move |change: &Change| topics.contains(&change.topic);
        let first: Vec<Event> = match missed {
            Some(changes) => changes.iter().filter(|change| wanted(change)).map(|c| of_change(c)).collect(),
            None => vec![of_snapshot(last_id, &snapshot())],
        };
        let mut ended = self.ended.subscribe();
        let rest = receiver.filter_map(move |change| {
            let event = match change {
                Ok(change) if change.id > last_id && wanted(&change) => Some(of_change(&change)),
                Ok(_) => None,
                Err(BroadcastStreamRecvError::Lagged(_)) => Some(of_snapshot(last_id, &snapshot())),
            };
            let _held = &place;
            async move { event }
        });
        let until = async move {
            let _ = ended.wait_for(|ended| *ended).await;
        };
        let all = stream::iter(first).chain(rest).take_until(Box::pin(until)).map(Ok::<_, Infallible>);
        Some(Sse::new(all).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
    }

    /// What came after `last`, where all of it is known; and the newest id.
    fn since(&self, last: Option<u64>) -> (Option<Vec<Arc<Change>>>, u64) {
        let kept = lock(&self.kept);
        let newest = kept.0;
        let changes = last.filter(|&last| last <= newest).and_then(|last| {
            let first = kept.1.front().map_or(newest + 1, |change| change.id);
            (last + 1 >= first).then(|| kept.1.iter().filter(|change| change.id > last).cloned().collect())
        });
        (changes, newest)
    }
}

/// A stream's place among all of them, free again when it ends.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(streams: &Arc<AtomicUsize>) -> Option<Self> {
        let taken = streams.fetch_add(1, Ordering::Relaxed);
        let place = Self(streams.clone());
        (taken < MAX_STREAMS).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn of_change(change: &Change) -> Event {
    Event::default().id(change.id.to_string()).event(change.name).data(change.data.to_string())
}

fn of_snapshot(id: u64, state: &Value) -> Event {
    Event::default().id(id.to_string()).event("snapshot").data(state.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_goes_on_where_it_broke_off() {
        let events = Events::new(100);
        (0..3).for_each(|_| events.send("jobs", "job", Value::Null));
        let ids = |last| events.since(last).0.map(|all| all.iter().map(|c| c.id).collect::<Vec<_>>());
        assert_eq!(ids(Some(101)), Some(vec![102, 103]));
        assert_eq!(ids(Some(103)), Some(vec![]));
        assert_eq!(ids(Some(100)), Some(vec![101, 102, 103]));
        // Of another server, or before anything that is known.
        assert_eq!((ids(Some(7)), ids(Some(999)), ids(None)), (None, None, None));
    }
}
