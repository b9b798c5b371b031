//! The one place that reads the wall clock. Decisions take `now` as an argument instead.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use app::model::Timestamp;

/// How far the wall clock may be from where it should be without having been moved, in milliseconds.
const MOST_DRIFT_MS: u64 = 5_000;

/// Now.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    #[cfg(feature = "failpoints")]
    let now = now.saturating_add(crate::failpoints::clock_shift());
    Timestamp(now)
}

/// How often something is done over and over. A test hastens it, to see within seconds what is done every few minutes.
pub fn pace(every: Duration) -> Duration {
    #[cfg(feature = "failpoints")]
    let every = every / crate::failpoints::haste();
    every
}

/// Notices that the wall clock was moved, by holding it against one that cannot be.
#[derive(Debug)]
pub struct Moves {
    wall: Timestamp,
    steady: Instant,
}

impl Moves {
    /// From now on.
    pub fn new() -> Self {
        Self { wall: now(), steady: Instant::now() }
    }

    /// Now, and whether the clock was moved since this was asked last, by more than clocks drift. Whoever asks goes on with this
    /// now: by one that is read later the clock may have been moved again.
    pub fn look(&mut self) -> (Timestamp, bool) {
        let (wall, steady) = (now(), Instant::now());
        let expected = self.wall.plus(steady.duration_since(self.steady));
        *self = Self { wall, steady };
        (wall, wall.0.abs_diff(expected.0) > MOST_DRIFT_MS)
    }
}

impl Default for Moves {
    fn default() -> Self {
        Self::new()
    }
}

/// A fresh id for a request: as [`new_id`], but in no order within a millisecond, and without asking the system for randomness
/// each time.
pub fn new_request_id() -> String {
    let millis = u64::try_from(now().0).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid().to_string()
}

/// A fresh id: a UUID of version 7, so that ids sort by the time they were made.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
