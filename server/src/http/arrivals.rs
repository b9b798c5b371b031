//! New connections come in at a bounded rate once there are many of them: whoever is connected already has the time between two.

use std::time::{Duration, Instant};

/// Time that one new connection has, where many come at once: about three times what making one and refusing a sign-in on it
/// takes of a processor, so that the greater part is left for everybody else.
const EACH: Duration = Duration::from_micros(500);
/// Connections that need not wait: what the browsers of a few people open together.
const AT_ONCE: u32 = 16;

/// When connections are taken: a leaky bucket, in the form of the generic cell rate algorithm (ITU-T I.371, annex A).
pub(super) struct Arrivals {
    /// When all that came so far would be over, had each its time.
    over: Instant,
}

impl Arrivals {
    pub(super) fn new(now: Instant) -> Self {
        Self { over: now }
    }

    /// Counts a connection that came; says how long to wait before the next is taken.
    pub(super) fn count(&mut self, now: Instant) -> Duration {
        self.over = self.over.max(now) + EACH;
        (self.over - now).saturating_sub(EACH * AT_ONCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_at_once_do_not_wait() {
        let now = Instant::now();
        let mut arrivals = Arrivals::new(now);
        assert!((0..AT_ONCE).all(|_| arrivals.count(now) == Duration::ZERO));
        assert_eq!(arrivals.count(now), EACH);
    }

    #[test]
    fn a_thousand_come_in_at_the_rate() {
        let mut now = Instant::now();
        let (began, mut arrivals) = (now, Arrivals::new(now));
        (0..1_000).for_each(|_| now += arrivals.count(now));
        assert_eq!(now - began, EACH * (1_000 - AT_ONCE));
        // Once they are through, the next few need not wait again.
        now += EACH * AT_ONCE;
        assert!((0..AT_ONCE).all(|_| arrivals.count(now) == Duration::ZERO));
    }
}
