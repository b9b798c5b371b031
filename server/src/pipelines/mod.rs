//! From a push to a release candidate.
