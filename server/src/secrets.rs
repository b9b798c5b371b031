//! Sealed values: a root key, a key for each team, a key for each value.
