//! What Berth may be sent to by somebody's address: the outside; networks of one's own only where the administrator lets it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::lookup_host;

/// Why an address is not gone to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// The name leads nowhere.
    #[error("The name `{0}` is not known. Is it written right?")]
    Unknown(String),
    /// It leads to a network of one's own.
    #[error("`{0}` is in a private network, where Berth is not let go. An administrator may allow it: `--mirror-private`.")]
    Private(String),
}

/// The address behind a name, looked up once: what is checked here is what is gone to.
///
/// # Errors
/// Where the name is not known, or any of its addresses is not to be gone to.
pub async fn reach(host: &str, port: u16, private: bool) -> Result<SocketAddr, Unreachable> {
    let unknown = || Unreachable::Unknown(host.to_owned());
    let found: Vec<SocketAddr> = lookup_host((host, port)).await.map_err(|_| unknown())?.collect();
    if !private && found.iter().any(|found| is_private(found.ip())) {
        return Err(Unreachable::Private(host.to_owned()));
    }
    found.into_iter().next().ok_or_else(unknown)
}

/// Whether an address is not of the outside: loopback, private, link-local, shared, reserved, of documents, of many.
pub fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_private_v4(ip),
        IpAddr::V6(ip) => {
            let parts = ip.segments();
            // Those of version 4 in another dress: mapped, compatible, translated, of 6to4.
            let inner = match parts {
                [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
                    let [a, b] = high.to_be_bytes();
                    let [c, d] = low.to_be_bytes();
                    Some(Ipv4Addr::new(a, b, c, d))
                }
                _ => None,
            };
            let outside = (0x2000..0x4000).contains(&parts[0]) && !(parts[0] == 0x2001 && parts[1] == 0x0db8);
            inner.map_or(!outside, is_private_v4)
        }
    }
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a == 198 && (18..20).contains(&b))
        || (a == 192 && b == 0 && c == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_outside_and_what_is_not() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "198.18.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::",
            "2001:db8::1",
        ] {
            assert!(is_private(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["1.1.1.1", "140.82.121.4", "172.32.0.1", "100.128.0.1", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"] {
            assert!(!is_private(outside.parse().unwrap()), "{outside}");
        }
    }

    #[tokio::test]
    async fn a_private_address_is_gone_to_only_where_it_is_let() {
        assert_eq!(reach("127.0.0.1", 1, false).await, Err(Unreachable::Private("127.0.0.1".into())));
        assert_eq!(reach("localhost", 1, false).await, Err(Unreachable::Private("localhost".into())));
        assert_eq!(reach("127.0.0.1", 1, true).await, Ok(([127, 0, 0, 1], 1).into()));
    }
}
