//! Moves a target from one release to the next, with proof.
