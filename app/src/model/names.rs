//! Names: parsed once at the door and trusted from there on.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Longest name of a team, a service or an environment: two of them and a hyphen fit into one label of a host name (63).
pub const NAME_MAX: usize = 30;

/// Checks the form shared by all names: a DNS label in lower case, 1 to [`NAME_MAX`] characters, starting with a letter.
fn check(what: &str, text: &str) -> Result<(), Error> {
    let good = !text.is_empty()
        && text.len() <= NAME_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && !text.contains("--")
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if good {
        return Ok(());
    }
    Err(Error::invalid(
        "invalid_name",
        format!(
            "The name of {what} starts with a letter and has up to {NAME_MAX} small letters, digits and single hyphens, for \
             example `orders-api`."
        ),
    )
    .at("name"))
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident $what:literal)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "ssr", derive(utoipa::ToSchema), schema(value_type = String, pattern = "^[a-z]([a-z0-9]|-[a-z0-9]){0,29}$"))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;

            /// # Errors
            /// `invalid_name` where the text is no such name.
            fn from_str(text: &str) -> Result<Self, Error> {
                check($what, text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )* };
}

names! {
    /// The name of a team, unique on the platform.
    TeamName "a team"
    /// The name of a service, unique in its team.
    ServiceName "a service"
    /// The name of an environment, unique on the platform.
    EnvironmentName "an environment"
    /// The name of a repository, unique in its team.
    RepositoryName "a repository"
    /// The name of a base image, unique on the platform.
    BaseName "a base image"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_labels() {
        for good in ["a", "orders", "orders-api", "a1", "a-1-b"] {
            assert!(good.parse::<ServiceName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "1a", "A", "a_b", "a b", "a/b", "é", "a\0", &"a".repeat(31)] {
            assert!(bad.parse::<ServiceName>().is_err(), "{bad:?}");
        }
    }
}
