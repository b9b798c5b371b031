//! The address of a repository that lives elsewhere: parsed once, and trusted from there on. It never holds a password, and
//! nothing in it can be taken for an option.

use std::{fmt, str::FromStr};

/// The longest address, in characters.
const LONGEST: usize = 500;

/// How a repository is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear; for networks of one's own.
    Http,
    /// With TLS.
    Https,
    /// By a key.
    Ssh,
}

/// The address of a repository that lives elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// How it is reached.
    pub scheme: Scheme,
    /// Who asks; of SSH alone.
    pub user: String,
    /// The host: a name or an address of version 4.
    pub host: String,
    /// The port, where it is not the usual one.
    pub port: Option<u16>,
    /// The path, as it was written: of `git@host:path` without a slash in front.
    pub path: String,
    text: String,
}

/// What an address must be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAddress {
    /// It is none at all.
    #[error(
        "Give an address like `https://github.com/acme/shop.git`, `ssh://git@git.example.org/acme/shop.git` or `git@github.com:acme/shop.git`."
    )]
    Form,
    /// It holds who asks.
    #[error("Leave user and password out of the address. Give a token apart: it is kept sealed, and an address is shown.")]
    Password,
}

fn name(text: &str, also: &str) -> bool {
    !text.is_empty() && !text.starts_with(['-', '.']) && text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
}

fn is_host(text: &str) -> bool {
    text.len() <= 253 && name(text, "-.") && !text.contains("..") && !text.ends_with(['.', '-'])
}

fn is_path(text: &str) -> bool {
    let parts = text.strip_prefix('/').unwrap_or(text).split('/');
    parts.clone().all(|part| !part.is_empty() && !part.starts_with('-') && part != "." && part != "..")
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "/-._~+@".contains(c))
}

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let text = text.trim().trim_end_matches('/');
        if text.len() > LONGEST {
            return Err(NoAddress::Form);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some(("https", rest)) => (Scheme::Https, rest),
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(("ssh", rest)) => (Scheme::Ssh, rest),
            Some(_) => return Err(NoAddress::Form),
            None => return short(text),
        };
        let (at, path) = rest.find('/').map(|slash| rest.split_at(slash)).ok_or(NoAddress::Form)?;
        let (user, at) = at.rsplit_once('@').map_or((None, at), |(user, at)| (Some(user), at));
        if user.is_some_and(|user| scheme != Scheme::Ssh || user.contains(':')) {
            return Err(NoAddress::Password);
        }
        let (host, port) = match at.split_once(':') {
            Some((host, port)) => (host, Some(port.parse::<u16>().ok().filter(|port| *port > 0).ok_or(NoAddress::Form)?)),
            None => (at, None),
        };
        Self::of(scheme, user, host, port, path, text)
    }
}

/// `git@host:path`.
fn short(text: &str) -> Result<Address, NoAddress> {
    let (at, path) = text.split_once(':').ok_or(NoAddress::Form)?;
    let (user, host) = at.split_once('@').ok_or(NoAddress::Form)?;
    Address::of(Scheme::Ssh, Some(user), host, None, path, text)
}

impl Address {
    fn of(scheme: Scheme, user: Option<&str>, host: &str, port: Option<u16>, path: &str, text: &str) -> Result<Self, NoAddress> {
        let user = user.unwrap_or(if scheme == Scheme::Ssh { "git" } else { "" });
        let good = is_host(host) && is_path(path) && (scheme != Scheme::Ssh || name(user, "-._"));
        if !good {
            return Err(NoAddress::Form);
        }
        let host = host.to_ascii_lowercase();
        Ok(Self { scheme, user: user.to_owned(), host, port, path: path.to_owned(), text: text.to_owned() })
    }

    /// The port it is reached on.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
            Scheme::Ssh => 22,
        })
    }

    /// What a forge calls the repository: `acme/shop`.
    pub fn project(&self) -> &str {
        let path = self.path.trim_start_matches('/');
        path.strip_suffix(".git").unwrap_or(path)
    }

    /// Where the forge's pages and API are, as far as the address tells: the same host, with TLS unless the address has none.
    pub fn origin(&self) -> String {
        match (self.scheme, self.port) {
            (Scheme::Ssh, _) | (Scheme::Https, None) => format!("https://{}", self.host),
            (Scheme::Https, Some(port)) => format!("https://{}:{port}", self.host),
            (Scheme::Http, None) => format!("http://{}", self.host),
            (Scheme::Http, Some(port)) => format!("http://{}:{port}", self.host),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_good() {
        for (text, host, port, project, origin) in [
            ("https://github.com/acme/shop.git", "github.com", 443, "acme/shop", "https://github.com"),
            ("https://git.example.org:8443/a/b/c/", "git.example.org", 8443, "a/b/c", "https://git.example.org:8443"),
            ("http://127.0.0.1:3000/acme/shop", "127.0.0.1", 3000, "acme/shop", "http://127.0.0.1:3000"),
            ("ssh://git@git.example.org:2222/acme/shop.git", "git.example.org", 2222, "acme/shop", "https://git.example.org"),
            ("ssh://git.example.org/srv/shop.git", "git.example.org", 22, "srv/shop", "https://git.example.org"),
            ("git@github.com:acme/shop.git", "github.com", 22, "acme/shop", "https://github.com"),
        ] {
            let address: Address = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((address.host.as_str(), address.port(), address.project(), address.origin()), (host, port, project, origin.into()));
        }
    }

    #[test]
    fn addresses_that_are_none() {
        for text in [
            "",
            "shop",
            "/srv/shop.git",
            "file:///srv/shop.git",
            "ext::sh -c id",
            "git://host/shop",
            "https://host",
            "https:///shop",
            "https://-host/shop",
            "https://host/../shop",
            "https://host/a//b",
            "https://host/-a",
            "https://host/a b",
            "https://host/a?b=c",
            "https://host/a#b",
            "https://host/a%2fb",
            "https://ho st/a",
            "https://host:0/a",
            "https://host:99999/a",
            "ssh://-oProxyCommand=id/a",
            "ssh://git@-oProxyCommand=id/a",
            "-oProxyCommand=id@host:a",
            "git@host:-a",
            "git@host:a'b",
            "git@host:a\nb",
            "https://hôst/a",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
        for text in ["https://ann:secret@host/a", "https://ann@host/a", "ssh://git:secret@host/a"] {
            assert_eq!(text.parse::<Address>(), Err(NoAddress::Password), "{text}");
        }
    }
}
