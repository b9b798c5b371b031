//! Passwords, tokens, sessions: who somebody is; and [`rights`]: what they may do.

pub mod limits;
pub mod links;
pub mod password;
pub mod rights;
pub mod secret;
pub mod sessions;
