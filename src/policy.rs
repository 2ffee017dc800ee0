//! May they: a [`Principal`](crate::auth::Principal) and an action become a [`Permit`].

pub mod engine;
pub mod permit;

pub use engine::Engine;
pub use permit::Permit;
