//! How the holder of a claim keeps it, and when it must stop by itself: well before anybody else may take the work over, so
//! that two never carry out the same. Pure: now is an argument.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

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

/// What this process works on by claims of one kind. It never claims any of it again, whatever a clock that is moved at that
/// moment makes of the leases: that it is at work it knows better than any clock. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Hands(Arc<Mutex<BTreeSet<String>>>);

impl Hands {
    /// Takes this in hand, until the answer goes.
    pub fn take(&self, id: &str) -> InHand {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
        InHand { hands: self.clone(), id: id.to_owned() }
    }

    /// All that is in hand now.
    pub fn full_of(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// Something this process works on.
#[derive(Debug)]
pub struct InHand {
    hands: Hands,
    id: String,
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.hands.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worked_on_is_in_hand_until_it_ends() {
        let hands = Hands::default();
        let (a, b) = (hands.take("a"), hands.take("b"));
        assert_eq!(hands.full_of(), ["a", "b"]);
        drop(a);
        assert_eq!(hands.full_of(), ["b"]);
        drop(b);
        assert!(hands.full_of().is_empty());
    }

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
