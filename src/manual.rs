//! The book: what memgate is, why it is built this way, and how to live with it.
//!
//! Read [`architecture`] first, then [`request`], the life of one request. [`threats`] lists
//! each attack beside the type or layer that stops it and the test that proves it.
//! [`identity`] puts memgate behind an identity provider, [`audit`] is about the record of what
//! was decided, [`operating`] is for the person who runs memgate, [`extending`] for the one who
//! changes it.

pub mod architecture;
pub mod audit;
pub mod extending;
pub mod identity;
pub mod operating;
pub mod request;
pub mod threats;
