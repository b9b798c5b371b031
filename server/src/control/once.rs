//! Requests that may come twice and count once (`Idempotency-Key`).

use std::time::Duration;

use app::{
    error::{Error, Result},
    model::{TeamId, Timestamp},
};

use super::Control;
use crate::{clock, store::idempotency};

/// How long an answer is remembered.
const KEPT: Duration = Duration::from_secs(24 * 3_600);
/// Keys of one person at once.
const MOST: u32 = 1_000;
/// The longest key, in bytes.
const LONGEST: usize = 200;

/// What to do with a request under a key.
#[derive(Debug)]
pub enum Once {
    /// Carry it out, then say how it ended.
    First,
    /// It was carried out before: this was its answer.
    Again {
        /// The status.
        status: u16,
        /// The body.
        body: Vec<u8>,
    },
}

fn sealed_for(holder: &str) -> TeamId {
    TeamId::from_text(format!("idempotency:{holder}"))
}

impl Control {
    /// Takes a key for a request of this hash. `holder`: a person, or one of their tokens.
    ///
    /// # Errors
    /// `invalid_key`, `key_reused` where it came with another request before, `in_progress`, `too_many_keys`.
    pub async fn once_begin(&self, holder: &str, key: &str, hash: &str) -> Result<Once> {
        if key.is_empty() || key.len() > LONGEST || !key.bytes().all(|b| b.is_ascii_graphic()) {
            let sentence = format!("An Idempotency-Key has 1 to {LONGEST} visible ASCII characters; a UUID is a good one.");
            return Err(Error::invalid("invalid_key", sentence));
        }
        let now = clock::now();
        let oldest = Timestamp(now.0.saturating_sub(i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX)));
        let mut tx = self.db.begin().await?;
        let before = idempotency::begin(&mut tx, holder, key, hash, now, oldest).await?;
        if before.is_none() && idempotency::count(&mut tx, holder).await? > MOST {
            return Err(Error::too_many(
                "too_many_keys",
                format!("You used {MOST} Idempotency-Keys within a day. Send requests without one."),
            ));
        }
        tx.commit().await?;
        let Some(before) = before else { return Ok(Once::First) };
        if before.hash != hash {
            return Err(Error::invalid("key_reused", "This Idempotency-Key came with another request before. Use a new one."));
        }
        let (Some(status), Some(body)) = (before.status, before.body) else {
            let sentence = "The first request with this Idempotency-Key is still under way, or was cut off. Look at what it was to change.";
            return Err(Error::conflict("in_progress", sentence));
        };
        Ok(Once::Again { status, body: self.secrets.unseal(&sealed_for(holder), key, "body", &body)? })
    }

    /// Says how the request under a key ended: with this answer, or (none) without having changed anything.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn once_end(&self, holder: &str, key: &str, answer: Option<(u16, &[u8])>) -> Result<()> {
        let mut tx = self.db.begin().await?;
        match answer {
            None => idempotency::forget(&mut tx, holder, key).await?,
            Some((status, body)) => {
                let body = self.secrets.seal(&sealed_for(holder), key, "body", body)?;
                idempotency::finish(&mut tx, holder, key, status, &body).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }
}
