//! May they: a [`Principal`](crate::auth::Principal) and an action become a [`Permit`].
//!
//! The decision is Cedar's; this room loads and checks the policies ([`load`], [`set`]), says
//! what Cedar may know ([`facts`]), remembers decisions where that is safe, and hands out the
//! proof ([`Permit`]). What must stay true: nothing is allowed by accident. No policy, an error
//! in a policy, a fact that does not fit: each denies (I3).

pub mod builtin;
pub mod cases;
mod cedar;
pub mod denial;
pub mod engine;
pub mod facts;
pub mod load;
pub mod matrix;
mod memo;
pub mod permit;
pub mod problem;
pub mod set;
mod stamp;
pub mod status;
pub mod templates;
mod world;

pub use denial::Denial;
pub use engine::Engine;
pub use permit::Permit;
pub use status::Status;
