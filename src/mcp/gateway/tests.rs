//! The endpoint from outside: requests in, responses out, with a handler that does as it is
//! told.

mod door;
mod sessions;
mod world;

use self::world::{World, call, initialize, list};
