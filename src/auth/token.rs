//! Tokens of an identity provider: what is read of one, when it is good, and what it grants.
//!
//! The library verifies signatures and is told everything; what it would let pass is refused
//! here. The order is the rule: shape and header ([`text`]), then the issuer by its exact name
//! and everything that its rules say without a key ([`rules`]), then the key out of the issuer's
//! own set ([`jwks`], [`source`]), then the signature, and only then what the claims grant
//! ([`grant`]). Nothing of an unverified token decides anything but that it is refused. Nothing
//! here makes a principal: that is the scheme's ([`scheme::token`](super::scheme)).

mod fetch;
pub mod flaw;
pub mod grant;
pub mod jwks;
pub(in crate::auth) mod remembered;
pub mod rules;
#[cfg(test)]
mod shapes;
pub mod source;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;

/// Whether a bearer text is somebody's token and nothing else: a JSON object in base64url, and a
/// dot. Keys of ours begin with `mg_`, and no other scheme takes such a text.
#[must_use]
pub fn looks_like_one(text: &str) -> bool {
    text.starts_with("ey") && text.contains('.')
}

#[cfg(test)]
mod tests;
