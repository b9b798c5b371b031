//! Passwords, tokens, sessions: who somebody is; and [`rights`]: what they may do.

pub mod rights;
