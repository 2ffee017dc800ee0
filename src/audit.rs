//! What was decided: one record for every decision, in a log that cannot be changed unnoticed.
//!
//! A [`Record`] says who asked for what and what came of it, never what a memory says (I5). The
//! [`Recorder`] numbers the records and hands them to the [`Log`], where each is chained to the
//! one before it and every so often the chain is signed ([`checkpoint`]). [`verify`] finds what
//! was changed, removed, moved or cut, and says where; [`read`] shows the records.
//!
//! INVARIANT I10: every decision leaves one record. There are two places where one is made:
//! `mcp::dispatch` for what is done with a memory, and `http::layers::access_log` for every other
//! request; a [`Slot`] that rides on the request keeps them from both speaking of it.
//! What must stay true: a record that is needed before an answer is on the disk when the answer
//! leaves, and when it cannot be written nothing is changed ([`Recorder::admit`]).

mod chain;
pub mod checkpoint;
pub mod digest;
mod flood;
mod frame;
pub mod head;
mod lines;
mod log;
pub mod read;
pub mod record;
pub mod recorder;
mod regular;
mod segment;
pub mod slot;
#[cfg(test)]
pub(crate) mod testing;
pub mod verify;

pub use log::Log;
pub use record::{Event, Outcome, Record};
pub use recorder::Recorder;
pub use slot::Slot;
