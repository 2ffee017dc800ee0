//! Who is calling: a credential becomes a [`Principal`], and nothing else can make one (I2).
//!
//! An ordered list of schemes is asked. Each answers *not presented*, *accepted* or *rejected*,
//! and *rejected* ends the search: a bad credential never falls through as "none given".

pub mod principal;

pub use principal::Principal;
