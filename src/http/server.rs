//! Sockets: bound before they serve, capped, timed, drained.

pub mod peer;
