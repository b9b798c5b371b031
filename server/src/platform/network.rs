//! Small explicit subnets from one configured range: the engine's own pools run out at about thirty networks.

use std::{fmt, net::Ipv4Addr, str::FromStr};

use sha2::{Digest, Sha256};

use super::{Network, PlatformError, container};

/// The size of a network: 61 containers, and the engine's gateway.
pub const PREFIX: u8 = 26;

/// What the names of all bridges of Berth's networks begin with: the wall on the host (`crate::wall`) knows them by it.
pub const BRIDGE_PREFIX: &str = "berth-";

/// The name of a network's bridge. The kernel takes fifteen bytes.
pub fn bridge(network: &str) -> String {
    format!("{BRIDGE_PREFIX}{}", &hex::encode(Sha256::digest(network))[..9])
}

/// An IPv4 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subnet {
    base: u32,
    prefix: u8,
}

impl Subnet {
    const fn size(prefix: u8) -> u64 {
        1 << (32 - prefix)
    }

    fn last(self) -> u64 {
        u64::from(self.base) + Self::size(self.prefix) - 1
    }

    /// Whether any address is in both.
    pub fn overlaps(self, other: Self) -> bool {
        u64::from(self.base) <= other.last() && u64::from(other.base) <= self.last()
    }

    /// The first network of [`PREFIX`] within this range that overlaps none of those in use.
    pub fn free(self, used: &[Self]) -> Option<Self> {
        let step = Self::size(PREFIX);
        let mut base = u64::from(self.base);
        while base + step - 1 <= self.last() {
            let candidate = Self { base: u32::try_from(base).ok()?, prefix: PREFIX };
            match used.iter().filter(|other| candidate.overlaps(**other)).map(|other| other.last()).max() {
                None => return Some(candidate),
                // Go on after what is in the way, aligned.
                Some(last) => base = (last + 1).next_multiple_of(step).max(base + step),
            }
        }
        None
    }
}

impl FromStr for Subnet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no range of networks: write an IPv4 range such as 10.201.0.0/16");
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: Ipv4Addr = address.parse().map_err(|_| wrong())?;
        let prefix: u8 = prefix.parse().ok().filter(|prefix| (1..=32).contains(prefix)).ok_or_else(wrong)?;
        let base = u64::from(u32::from(address));
        Ok(Self { base: u32::try_from(base - base % Self::size(prefix)).unwrap_or(0), prefix })
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.base), self.prefix)
    }
}

/// Reads the configured range.
///
/// # Errors
/// A sentence, where it is none or too small for one network.
pub fn range(text: &str) -> Result<Subnet, String> {
    let range: Subnet = text.parse()?;
    if range.prefix > PREFIX {
        return Err(format!("`{text}` is too small: a range of networks has at least 64 addresses, such as 10.201.0.0/16"));
    }
    Ok(range)
}

/// What is said where no subnet is left.
pub fn exhausted(range: Subnet) -> PlatformError {
    PlatformError::Refused(format!(
        "every network of {range} is in use; give Berth a larger range with --subnets, or remove what is no longer needed"
    ))
}

/// The labels of a network.
pub fn labels(instance: &str, network: &Network) -> std::collections::BTreeMap<String, String> {
    match network {
        Network::Target { team, environment } => {
            container::labels(instance, [(container::TEAM, team.as_str()), (container::ENVIRONMENT, environment.as_str())])
        }
        Network::Run(run) => container::labels(instance, [(container::RUN, run.as_str())]),
        Network::None => container::labels(instance, []),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn subnets_are_read_and_written() {
        assert_eq!(subnet("10.201.3.7/16").to_string(), "10.201.0.0/16");
        assert_eq!(subnet("255.255.255.255/32").to_string(), "255.255.255.255/32");
        for bad in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/0", "10.0.0/8", "fd00::/8", "x/8", "10.0.0.0/-1"] {
            assert!(bad.parse::<Subnet>().is_err(), "{bad}");
        }
        assert!(range("10.0.0.0/27").is_err());
        assert!(range("10.0.0.0/26").is_ok());
    }

    #[test]
    fn a_bridge_has_a_name_the_kernel_takes() {
        assert!(bridge("a network").len() <= 15 && bridge("a network") != bridge("another"));
    }

    #[test]
    fn the_first_free_one_is_taken() {
        let range = subnet("10.201.0.0/16");
        for (used, free) in [
            (&[][..], "10.201.0.0/26"),
            (&["10.201.0.0/26"], "10.201.0.64/26"),
            (&["10.201.0.64/26"], "10.201.0.0/26"),
            (&["10.201.0.0/24"], "10.201.1.0/26"),
            (&["10.0.0.0/8"], "none"),
            (&["172.17.0.0/16", "10.201.0.10/32"], "10.201.0.64/26"),
            (&["10.201.0.0/17", "10.201.128.0/25"], "10.201.128.128/26"),
        ] {
            let used: Vec<_> = used.iter().map(|text| subnet(text)).collect();
            assert_eq!(range.free(&used).map_or("none".into(), |free| free.to_string()), free, "{used:?}");
        }
    }

    #[test]
    fn a_range_holds_as_many_as_it_has_room_for_and_none_overlap() {
        let range = subnet("255.255.240.0/20");
        let mut used = Vec::new();
        while let Some(free) = range.free(&used) {
            assert!(range.overlaps(free) && used.iter().all(|other| !free.overlaps(*other)));
            used.push(free);
        }
        assert_eq!(used.len(), 64);
    }
}
