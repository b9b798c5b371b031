//! How the holder of a claim keeps it, and when it must stop by itself: well before anybody else may take the work over, so
//! that two never carry out the same. Pure: now is an argument.

use std::time::{Duration, Instant};

use crate::clock;

/// How long a claim is good for without being renewed, as the store keeps it.
pub const LEASE: Duration = Duration::from_secs(60);
/// A claim is renewed this often: a third of its lease.
const RENEW: Duration = Duration::from_secs(20);
/// After a renewal that did not get through it is tried again this soon.
const AGAIN: Duration = Duration::from_secs(2);
/// Without a renewal for this long the work stops itself.
const STOP: Duration = Duration::from_secs(45);

/// A claim in the hands of its holder.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    renewed: Instant,
    due: Instant,
}

impl Claim {
    /// One that was asked for then, and given.
    pub fn new(asked: Instant) -> Self {
        Self { renewed: asked, due: asked + clock::pace(RENEW) }
    }

    /// When to renew it next.
    pub const fn due(&self) -> Instant {
        self.due
    }

    /// When the work stops itself, unless it is renewed until then. No renewal is waited for beyond it.
    pub fn ends(&self) -> Instant {
        self.renewed + STOP
    }

    /// It was renewed. Counted from the asking: when the store wrote it down is not known better.
    pub fn renewed(&mut self, asked: Instant) {
        *self = Self::new(asked);
    }

    /// A renewal did not get through.
    pub fn not_renewed(&mut self, now: Instant) {
        self.due = now + AGAIN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_does_not_answer_ends_the_work_before_the_lease() {
        let began = Instant::now();
        let mut claim = Claim::new(began);
        let mut now = began;
        while claim.due() < claim.ends() {
            // It is asked when it is due, and answers nothing for ten seconds.
            now = claim.due() + Duration::from_secs(10);
            claim.not_renewed(now);
        }
        assert!(claim.ends() < began + LEASE && now < began + LEASE + Duration::from_secs(10));
        claim.renewed(now);
        assert_eq!(claim.ends(), now + STOP, "counted from the asking");
    }
}
