//! The endpoint from outside: requests in, responses out, with a handler that does as it is
//! told.

mod call;
mod door;
mod quiet;
mod sessions;

use crate::mcp::testing as world;
use world::{World, call, initialize, list};
