//! Limits of sign-in attempts: per account and per peer, waiting longer each time, in bounded memory.

use std::{collections::HashMap, hash::Hash, sync::Mutex, time::Duration};

use app::{
    error::{Error, Result},
    model::Timestamp,
};

/// How many attempts are free, and the longest wait after them.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    free: u32,
    longest: Duration,
}

const ACCOUNT: Allowance = Allowance { free: 5, longest: Duration::from_secs(300) };
/// Many people may share an address.
const PEER: Allowance = Allowance { free: 30, longest: Duration::from_secs(900) };
/// After this long without an attempt all is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(3_600);
/// Remembered accounts and peers, each; beyond it the longest silent one is forgotten.
const REMEMBERED: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    attempts: u32,
    last: Timestamp,
}

/// How long to wait after `attempts` that came to nothing: nothing while free, then 1 s, 2 s, 4 s …
fn wait(attempts: u32, allowance: Allowance) -> Duration {
    let Some(beyond) = attempts.checked_sub(allowance.free) else { return Duration::ZERO };
    Duration::from_secs(1_u64 << beyond.min(20)).min(allowance.longest)
}

#[derive(Debug, Default)]
struct Table<K> {
    rows: HashMap<K, Record>,
}

impl<K: Eq + Hash + Clone> Table<K> {
    /// What is left to wait.
    fn left(&self, key: &K, allowance: Allowance, now: Timestamp) -> Duration {
        self.rows.get(key).map_or(Duration::ZERO, |row| wait(row.attempts, allowance).saturating_sub(now.since(row.last)))
    }

    fn count(&mut self, key: &K, now: Timestamp) -> u32 {
        if self.rows.len() >= REMEMBERED && !self.rows.contains_key(key) {
            self.rows.retain(|_, row| now.since(row.last) < FORGOTTEN);
            if self.rows.len() >= REMEMBERED
                && let Some(oldest) = self.rows.iter().min_by_key(|(_, row)| row.last).map(|(key, _)| key.clone())
            {
                self.rows.remove(&oldest);
            }
        }
        let row = self.rows.entry(key.clone()).or_insert(Record { attempts: 0, last: now });
        if now.since(row.last) >= FORGOTTEN {
            row.attempts = 0;
        }
        *row = Record { attempts: row.attempts.saturating_add(1), last: now };
        row.attempts
    }

    fn refund(&mut self, key: &K) {
        if let Some(row) = self.rows.get_mut(key) {
            row.attempts = row.attempts.saturating_sub(1);
        }
    }
}

/// Counts attempts. Each is counted before it is judged, so that many at once gain nothing.
#[derive(Debug, Default)]
pub struct Limits {
    tables: Mutex<(Table<String>, Table<String>)>,
}

impl Limits {
    /// Counts an attempt to sign in as `account` from `peer`.
    ///
    /// # Errors
    /// `too_many_attempts` with the wait; such an attempt is not counted.
    pub fn attempt(&self, account: &str, peer: Option<&str>, now: Timestamp) -> Result<()> {
        let account = crate::auth::secret::hash(account);
        let peer = peer.map(network);
        let Ok(mut tables) = self.tables.lock() else { return Ok(()) };
        let (accounts, peers) = &mut *tables;
        let left = accounts.left(&account, ACCOUNT, now).max(peer.as_ref().map_or(Duration::ZERO, |peer| peers.left(peer, PEER, now)));
        if !left.is_zero() {
            let seconds = left.as_millis().div_ceil(1_000);
            let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
            let unit = if seconds == 1 { "second" } else { "seconds" };
            let sentence = format!("Too many attempts to sign in. Try again in {seconds} {unit}.");
            return Err(Error::too_many("too_many_attempts", sentence).after(seconds));
        }
        accounts.count(&account, now);
        if let Some(peer) = peer {
            peers.count(&peer, now);
        }
        Ok(())
    }

    /// Takes back an attempt that was not judged.
    pub fn refund(&self, account: &str, peer: Option<&str>) {
        let Ok(mut tables) = self.tables.lock() else { return };
        tables.0.refund(&crate::auth::secret::hash(account));
        if let Some(peer) = peer {
            tables.1.refund(&network(peer));
        }
    }

    /// Forgets the attempts at `account`: it was the right one.
    pub fn succeeded(&self, account: &str, peer: Option<&str>) {
        let Ok(mut tables) = self.tables.lock() else { return };
        tables.0.rows.remove(&crate::auth::secret::hash(account));
        if let Some(peer) = peer {
            tables.1.refund(&network(peer));
        }
    }
}

/// Who holds an IPv6 address holds its /64.
fn network(peer: &str) -> String {
    match peer.parse::<std::net::Ipv6Addr>() {
        Ok(address) if address.to_ipv4_mapped().is_none() => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        _ => peer.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000)
    }

    #[test]
    fn waits_double_up_to_a_bound() {
        let waits: Vec<u64> = (0..18).map(|n| wait(n, ACCOUNT).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]);
    }

    #[test]
    fn an_account_is_slowed_down_and_forgiven() {
        let limits = Limits::default();
        for _ in 0..5 {
            limits.attempt("ada", Some("192.0.2.1"), at(0)).unwrap();
        }
        let error = limits.attempt("ada", Some("192.0.2.2"), at(0)).unwrap_err();
        assert_eq!((error.code, error.retry_after_s), ("too_many_attempts", Some(1)));
        assert!(limits.attempt("bob", Some("192.0.2.1"), at(0)).is_ok(), "another account is not held up");
        assert!(limits.attempt("ada", Some("192.0.2.1"), at(1)).is_ok());
        assert_eq!(limits.attempt("ada", None, at(1)).unwrap_err().retry_after_s, Some(2));
        limits.succeeded("ada", Some("192.0.2.1"));
        assert!(limits.attempt("ada", None, at(1)).is_ok());
    }

    #[test]
    fn a_peer_is_slowed_down_whatever_the_account() {
        let limits = Limits::default();
        for n in 0..30 {
            limits.attempt(&format!("user{n}"), Some("2001:db8::1"), at(0)).unwrap();
        }
        assert!(limits.attempt("one more", Some("2001:db8::2"), at(0)).is_err(), "the same /64");
        assert!(limits.attempt("one more", Some("2001:db8:1::1"), at(0)).is_ok());
        assert!(limits.attempt("another", Some("2001:db8::1"), at(3_700)).is_ok(), "forgotten after an hour");
    }

    #[test]
    fn memory_is_bounded() {
        let mut table = Table::<u32>::default();
        for n in 0..REMEMBERED as u32 + 50 {
            table.count(&n, at(i64::from(n)));
        }
        assert!(table.rows.len() <= REMEMBERED);
    }
}
