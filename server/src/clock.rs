//! The one place that reads the wall clock. Decisions take `now` as an argument instead.

use std::time::{SystemTime, UNIX_EPOCH};

use app::model::Timestamp;

/// Now.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
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
