//! Host names and paths of routes: their normal form, and which are reserved.

use app::error::{Error, Result};

/// The normal form of a host name: lower case, without port and final dot.
///
/// # Errors
/// `invalid_host` at the field `host`.
pub(super) fn host(text: &str) -> Result<String> {
    let host = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let numeric = host.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    if host.len() > 253 || numeric || !host.split('.').all(label) {
        let sentence = "A host name looks like `shop.example.com`: without scheme, port and path, and it is no address.";
        return Err(Error::invalid("invalid_host", sentence).at("host"));
    }
    Ok(host)
}

/// The normal form of a path: starts with `/`, does not end with one.
///
/// # Errors
/// `invalid_path` at the field `path`.
pub(super) fn path(text: &str) -> Result<String> {
    let path = text.trim();
    let segment = |segment: &str| {
        !segment.is_empty()
            && segment != "."
            && segment != ".."
            && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b))
    };
    match path.trim_end_matches('/').strip_prefix('/') {
        None if path.is_empty() || path.bytes().all(|b| b == b'/') => Ok("/".into()),
        Some(rest) if path.len() <= 200 && rest.split('/').all(segment) => Ok(format!("/{rest}")),
        _ => {
            Err(Error::invalid("invalid_path", "A path looks like `/` or `/shop/v2`: letters, digits and `-_.~` between slashes.")
                .at("path"))
        }
    }
}

/// Whether a host name is Berth's own: the console's, the platform's domain, or one below an environment, where the default
/// names of all teams are made.
pub(super) fn reserved(host: &str, console_url: &str, domain: &str, environments: &[String]) -> bool {
    let console = console_url.split("://").nth(1).unwrap_or_default();
    let console = console.rsplit_once(':').map_or(console, |(name, _)| name);
    let below = |zone: &str| host == zone || host.strip_suffix(zone).is_some_and(|front| front.ends_with('.'));
    host == console || host == domain || environments.iter().any(|environment| below(&format!("{environment}.{domain}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names() {
        assert_eq!(host(" Shop.Example.COM. ").unwrap(), "shop.example.com");
        assert_eq!(host("localhost").unwrap(), "localhost");
        for bad in
            ["", "a b", "http://a", "a:80", "a/b", "-a.b", "a-.b", "a..b", "*.a", "127.0.0.1", "[::1]", "é.com", "a\0", &"a".repeat(64)]
        {
            assert_eq!(host(bad).unwrap_err().code, "invalid_host", "{bad:?}");
        }
    }

    #[test]
    fn paths() {
        for (text, normal) in [("", "/"), ("/", "/"), ("//", "/"), ("/shop", "/shop"), ("/shop/", "/shop"), ("/a/b.c", "/a/b.c")] {
            assert_eq!(path(text).unwrap(), normal, "{text}");
        }
        for bad in ["shop", "/a//b", "/../x", "/a/..", "/a?b", "/a%2f", "/a b", "/a\r\nb"] {
            assert_eq!(path(bad).unwrap_err().code, "invalid_path", "{bad:?}");
        }
    }

    #[test]
    fn own_names_are_reserved() {
        let environments = ["dev".to_owned(), "production".to_owned()];
        for (name, expected) in [
            ("berth.example.com", true),
            ("example.com", true),
            ("x-y.dev.example.com", true),
            ("dev.example.com", true),
            ("a.b.production.example.com", true),
            ("shop.example.com", false),
            ("xdev.example.com", false),
            ("other.org", false),
        ] {
            assert_eq!(reserved(name, "https://berth.example.com:8443", "example.com", &environments), expected, "{name}");
        }
    }
}
