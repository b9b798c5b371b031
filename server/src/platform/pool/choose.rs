//! Which builder a run goes to: that of its service, where its caches and layers are, unless that has more than its share.
//!
//! Rendezvous hashing (Thaler and Ravishankar, 1998) gives every service an order of the builders that stays the same while others
//! come and go. No builder takes more than its even share of the runs, rounded up (consistent hashing with bounded loads, Mirrokni,
//! Thorup and Zadimoghaddam, 2016, with a factor of 1: runs are few and long).

use app::model::ServiceId;
use sha2::{Digest as _, Sha256};

/// A builder that answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// How many runs are on it, without the one that is placed.
    pub(super) runs: usize,
}

/// The name of the builder for one more run of a service. None: there is none.
pub(super) fn choose<'a>(open: &[Open<'a>], service: &ServiceId) -> Option<&'a str> {
    let all: usize = open.iter().map(|one| one.runs).sum::<usize>() + 1;
    let share = all.div_ceil(open.len().max(1));
    let rank = |one: &&Open<'_>| Sha256::digest(format!("{service}\0{}", one.name));
    open.iter().filter(|one| one.runs < share).max_by_key(rank).map(|one| one.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open<'a>(names: &[&'a str]) -> Vec<Open<'a>> {
        names.iter().map(|name| Open { name, runs: 0 }).collect()
    }

    #[test]
    fn services_are_spread_and_stay_where_they_are() {
        let names = ["a", "b", "c", "d"];
        let services: Vec<ServiceId> = (0..400).map(|n| ServiceId::from_text(format!("service-{n}"))).collect();
        let (all, fewer) = (open(&names), open(&names[..3]));
        for name in names {
            let count = services.iter().filter(|service| choose(&all, service) == Some(name)).count();
            assert!((60..140).contains(&count), "{name} has {count} of 400");
        }
        // Where one goes, only its own services move.
        for service in services.iter().filter(|service| choose(&all, service) != Some("d")) {
            assert_eq!(choose(&all, service), choose(&fewer, service));
        }
        assert_eq!(choose(&[], &services[0]), None);
    }

    #[test]
    fn none_has_more_than_its_share() {
        let service = ServiceId::from_text("busy");
        let mut hosts = open(&["a", "b", "c"]);
        for placed in 1..=30 {
            let to = choose(&hosts, &service).unwrap();
            hosts.iter_mut().filter(|one| one.name == to).for_each(|one| one.runs += 1);
            let (most, least) = (hosts.iter().map(|one| one.runs).max(), hosts.iter().map(|one| one.runs).min());
            assert!(most.unwrap() - least.unwrap() <= 1, "{hosts:?} after {placed}");
        }
        // One that was given many while it was alone takes none until the others have as many.
        let uneven = [Open { name: "a", runs: 9 }, Open { name: "b", runs: 0 }];
        assert_eq!(choose(&uneven, &service), Some("b"));
    }
}
