//! The control plane: tenants, keys and sessions, everything needed *before* a decision exists.
//!
//! Reads are answered from memory, so that an unauthenticated caller can cause no SQL (I7);
//! writes go to `control.db` first and are visible at once. Secrets are never here: a key's
//! record carries an argon2id hash, and the hash never leaves the rooms `registry` and `auth`.

pub mod keyring;
pub mod ledger;
pub mod tenants;
