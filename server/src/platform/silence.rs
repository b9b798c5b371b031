//! Whoever waits for an engine can hear that it keeps silent, whatever call the wait is in.
//!
//! A call may take its time: its deadline is generous, an image is large, a container is given time to stop. Somebody who looks
//! on wants to know within seconds whether there is still anybody to wait for. So while a call takes long its engine is asked
//! beside it whether it is there; where that is not answered, the ears of the work that makes the call are told.

use std::time::Duration;

use app::said;
use tokio::sync::watch;

use super::PlatformError;

/// A call may take this long until its engine is asked whether it is there, and the same for that answer.
pub(super) const SOON: Duration = Duration::from_secs(3);

/// What an engine that the work waits for is silent about: a sentence; none while it answers.
pub type Ears = watch::Sender<Option<String>>;

tokio::task_local! {
    static EARS: Ears;
}

/// Does work, and tells these ears of every engine that keeps silent in a call of it.
pub async fn heard<T>(ears: Ears, work: impl Future<Output = T>) -> T {
    EARS.scope(ears, work).await
}

/// Whether anybody listens.
pub(super) fn is_heard() -> bool {
    EARS.try_with(|_| ()).is_ok()
}

/// Says that an engine answered, or what it answered instead.
pub(super) fn tell(host: &str, answer: Result<(), &PlatformError>) {
    let said = match answer {
        Err(PlatformError::Hung { after, .. }) => Some(said::engine_silent(host, after.as_secs())),
        Err(error @ PlatformError::Gone(_)) => Some(error.to_string()),
        Ok(()) | Err(_) => None,
    };
    let _ = EARS.try_with(|ears| {
        ears.send_if_modified(|heard| {
            let new = *heard != said;
            heard.clone_from(&said);
            new
        })
    });
}
