//! How long images are kept: a decision over rows.

use std::{collections::BTreeSet, time::Duration};

use app::model::{CandidateId, KeptImage, Timestamp};

/// What is kept of each service whatever happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// So many of the newest candidates.
    pub newest: usize,
    /// Everything younger than this.
    pub age: Duration,
    /// Whatever the last so many releases of a target run: it may be rolled back to.
    pub releases: usize,
}

/// The policy of every service.
pub const POLICY: Policy = Policy { newest: 20, age: Duration::from_secs(30 * 86_400), releases: 10 };

/// The candidates of one service whose images go, of those that are there. `needed` are the images that any target runs, wants, is moving to or may
/// roll back to. An image that two candidates share stays for both.
pub fn to_go(there: &[KeptImage], needed: &BTreeSet<String>, now: Timestamp, policy: Policy) -> Vec<CandidateId> {
    let mut numbers: Vec<u64> = there.iter().map(|candidate| candidate.number).collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    let oldest_kept = policy.newest.checked_sub(1).and_then(|at| numbers.get(at).copied());
    let is_new = |candidate: &KeptImage| match oldest_kept {
        Some(oldest) => candidate.number >= oldest,
        // Fewer than are kept, or none is kept for being new.
        None => policy.newest > 0,
    };
    let stays = |candidate: &KeptImage| {
        candidate.held || is_new(candidate) || now.since(candidate.created_at) < policy.age || needed.contains(&candidate.image)
    };
    let staying: BTreeSet<&str> = there.iter().filter(|candidate| stays(candidate)).map(|candidate| candidate.image.as_str()).collect();
    let going = there.iter().filter(|candidate| !staying.contains(candidate.image.as_str()));
    going.map(|candidate| candidate.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

    use super::*;

    const DAY: i64 = 86_400_000;
    const NOW: Timestamp = Timestamp(1_000 * DAY);

    /// A candidate of this number, so many days old; its image is called like it.
    fn old(number: u64, days: i64) -> KeptImage {
        KeptImage {
            id: CandidateId::from_text(number.to_string()),
            number,
            image: number.to_string(),
            created_at: Timestamp(NOW.0 - days * DAY),
            held: false,
        }
    }

    #[test]
    fn what_is_old_and_needed_by_nobody_goes() {
        let small = Policy { newest: 2, age: Duration::from_secs(30 * 86_400), releases: 10 };
        let four = [old(1, 90), old(2, 80), old(3, 70), old(4, 60)];
        let mut held = four.clone();
        held[0].held = true;
        let mut shared = four.clone();
        shared[0].image = "4".into();
        let young = [old(1, 29), old(2, 31), old(3, 1), old(4, 0)];
        type Case<'a> = (&'a str, &'a [KeptImage], &'a [&'a str], Policy, &'a [&'a str]);
        let cases: [Case<'_>; 9] = [
            ("nothing there", &[], &[], small, &[]),
            ("the newest stay", &four, &[], small, &["1", "2"]),
            ("what is needed stays", &four, &["1"], small, &["2"]),
            ("what is held stays", &held, &[], small, &["2"]),
            ("an image that another candidate has stays", &shared, &[], small, &["2"]),
            ("what is young stays", &young, &[], small, &["2"]),
            ("few stay however old", &four[..2], &[], small, &[]),
            ("the usual policy", &four, &[], POLICY, &[]),
            ("none is kept for being new", &four, &["3"], Policy { newest: 0, ..small }, &["1", "2", "4"]),
        ];
        for (name, there, needed, policy, expected) in cases {
            let needed = needed.iter().map(|image| (*image).to_owned()).collect();
            let gone: Vec<String> = to_go(there, &needed, NOW, policy).iter().map(ToString::to_string).collect();
            assert_eq!(gone, expected, "{name}");
        }
    }

    #[test]
    fn whatever_is_there_only_what_nobody_could_want_goes() {
        let mut random = StdRng::seed_from_u64(7);
        let mut gone_in_all = 0;
        for case in 0..5_000 {
            let count = random.random_range(0..40);
            let mut there: Vec<KeptImage> = (1..=count).map(|number| old(number, random.random_range(0..100))).collect();
            for candidate in &mut there {
                candidate.held = random.random_bool(0.1);
                if random.random_bool(0.1) {
                    candidate.image = random.random_range(1..=count).to_string();
                }
            }
            let needed: BTreeSet<String> = (1..=count).filter(|_| random.random_bool(0.2)).map(|number| number.to_string()).collect();
            let policy = Policy { newest: random.random_range(0..30), ..POLICY };
            let gone: BTreeSet<String> = to_go(&there, &needed, NOW, policy).iter().map(ToString::to_string).collect();
            gone_in_all += gone.len();
            let (going, staying): (Vec<&KeptImage>, Vec<&KeptImage>) = there.iter().partition(|one| gone.contains(one.id.as_str()));
            for one in &going {
                assert!(!one.held && !needed.contains(&one.image) && NOW.since(one.created_at) >= policy.age, "{case}: {one:?}");
                assert!(staying.iter().all(|other| other.image != one.image), "{case}: {one:?} shares its image with one that stays");
                assert!(there.iter().filter(|other| other.number > one.number).count() >= policy.newest, "{case}: {one:?} is new");
            }
            // And what could go goes: one that stays has a reason, or an image in common with one that has.
            let reason = |one: &KeptImage| {
                let newer = there.iter().filter(|other| other.number > one.number).count();
                one.held || needed.contains(&one.image) || NOW.since(one.created_at) < policy.age || newer < policy.newest
            };
            for one in staying {
                assert!(there.iter().any(|other| other.image == one.image && reason(other)), "{case}: {one:?} stays without a reason");
            }
        }
        assert!(gone_in_all > 1_000, "only {gone_in_all}");
        println!("proof: retention rule: 5000 seeded services, {gone_in_all} images go, 0 that a target needs");
    }
}
