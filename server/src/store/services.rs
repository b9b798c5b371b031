//! Rows of `services`.
