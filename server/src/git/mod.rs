//! Hosted repositories, over the real `git` with fixed arguments.
