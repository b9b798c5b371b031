//! Secrets made by Berth and shown once: API tokens, one-time links. Only their hash is kept.

use rand::{Rng as _, distr::Alphanumeric};
use sha2::{Digest, Sha256};

/// Letters and digits in a secret: 62^43 is a little more than 2^256.
const LENGTH: usize = 43;

/// What every API token starts with, so that a leaked one is recognised.
pub const TOKEN_PREFIX: &str = "berth_";

/// A fresh secret: 256 random bits as letters and digits.
pub fn fresh() -> String {
    rand::rng().sample_iter(Alphanumeric).take(LENGTH).map(char::from).collect()
}

/// A fresh API token, and the first letters to tell it by.
pub fn fresh_token() -> (String, String) {
    let token = format!("{TOKEN_PREFIX}{}", fresh());
    let shown = token.chars().take(TOKEN_PREFIX.len() + 6).collect();
    (token, shown)
}

/// What is stored of a secret. It has 256 random bits, so that a plain hash is enough.
pub fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_random_and_recognisable() {
        let (first, shown) = fresh_token();
        assert!(first.starts_with(&shown) && shown.starts_with("berth_") && shown.len() == 12);
        assert_eq!(first.len(), 49);
        assert_ne!(first, fresh_token().0);
        assert_eq!(hash("x").len(), 64);
    }
}
