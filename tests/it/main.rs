//! The real program, over real sockets, as every persona meets it.
//!
//! One binary for all of it, so that the program is linked once. Each test starts a deployment of
//! its own ([`world::World`]); none depends on another, on the time, or on what the machine has.

#![cfg(test)]

mod administration;
mod audit;
mod capabilities;
mod certificates;
mod disk;
mod durability;
mod endpoints;
mod golden;
mod headers;
mod isolation;
mod limits;
mod oauth;
mod policies;
mod reload;
mod restart;
mod revocation;
mod secrets;
mod sessions;
mod sources;
mod start;
mod stop;
mod unreadable;
mod world;
