//! What the tests of a run said, and whether a service is really integrated continuously. All of it pure: from bytes and
//! rows to answers, with `now` as an argument.

pub mod compare;
pub mod dora;
pub mod junit;
pub mod kept;
pub mod lights;
pub mod tell;
