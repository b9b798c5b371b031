//! The edge through the outside: real sockets, backends made by hand.

mod support;

mod draining;
mod fields;
mod hostile;
mod life;
mod protocols;
mod routing;
