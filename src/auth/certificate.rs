//! Client certificates: what the handshake of our own listener verified, and what it grants.
//!
//! rustls judges the chain, and nothing here does it again or otherwise: [`Trust`] holds the very
//! verifier of the handshake, and asks it again when the files behind it change and once a minute,
//! so a certificate that is no longer trusted is noticed on a connection that lives on. What a
//! certificate says is read in [`names`], what that means in [`grant`]. Nothing here makes a
//! principal: that is the scheme's. INVARIANT I1: no header can say any of this. Test:
//! `i1_no_header_stands_for_a_certificate`.

mod client;
mod der;
pub mod grant;
pub mod names;
mod trust;
mod validity;

pub use self::{
    client::ClientCertificate,
    trust::Trust,
    validity::{next_update, not_after},
};
