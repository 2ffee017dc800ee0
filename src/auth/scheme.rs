//! One way to know a caller, and the three answers it can give.
//!
//! The list in [`Authenticator`](super::Authenticator) is asked in order. *Not presented* passes
//! the request on; *rejected* ends the search, so that a bad credential never falls through to a
//! scheme that would have let a caller without one in.
//!
//! **To add a scheme:** a file beside `api_key.rs` that implements [`Scheme`], a setting in
//! `config::auth`, a line in `Authenticator::new`. A token is a [`Credential::Bearer`] that looks
//! like one: its scheme stands before `api_key` and answers *not presented* for everything else.
//! A client certificate is not a header at all: the listener puts what the TLS handshake verified
//! into [`Origin`], beside `via`, and its scheme stands first after `local`.

pub(in crate::auth) mod api_key;
pub(in crate::auth) mod certificate;
pub(in crate::auth) mod local;
pub(in crate::auth) mod open;
pub(in crate::auth) mod token;

use std::{fmt, net::IpAddr, sync::Arc};

use async_trait::async_trait;

use super::{Credential, Principal, certificate::ClientCertificate, token::flaw::Flaw};
use crate::{
    domain::{Error, Result, bounds::Outside, key::KeyId},
    telemetry::stats::AuthOutcome,
};

/// Where a request came from, as the listener knows it and no header can say.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'r> {
    /// The client's address, after trusted proxies.
    pub address: IpAddr,
    /// Which way it came in.
    pub via: Via,
    /// What the client proved in the handshake of our own TLS.
    pub certificate: Option<&'r Arc<ClientCertificate>>,
}

/// Which way a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A listener on an IP address.
    Network,
    /// The Unix socket inside the data directory, which only its owner can open.
    ControlSocket,
}

/// What a scheme may look at.
#[derive(Debug, Clone, Copy)]
pub(in crate::auth) struct Presented<'r> {
    pub(in crate::auth) credential: Option<Credential<'r>>,
    pub(in crate::auth) origin: Origin<'r>,
}

/// What a scheme says.
#[derive(Debug)]
pub(in crate::auth) enum Attempt {
    /// Nothing that this scheme reads; ask the next.
    NotPresented,
    /// This is who it is, and how it became known.
    Accepted(Principal, AuthOutcome),
    /// Something that this scheme reads, and it is no good; ask nobody else.
    Rejected(Rejection),
}

/// Why a credential is no good: for the operator, never for the caller. It is the cause of the
/// error that the caller gets, so it travels with it and stays inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub(in crate::auth) reason: Reason,
    /// The id that the credential claims.
    pub(in crate::auth) key: Option<KeyId>,
}

impl Rejection {
    /// The rejection behind an error, if it is one.
    #[must_use]
    pub fn behind(error: &Error) -> Option<&Self> {
        std::error::Error::source(error)?.downcast_ref()
    }

    /// Why, in words of ours. INVARIANT I5: none of them is the client's.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason.as_str()
    }

    /// Whose credential it says it is. Well formed, and otherwise a claim.
    #[must_use]
    pub fn claimed(&self) -> Option<&KeyId> {
        self.key.as_ref()
    }

    /// INVARIANT I4: the holder of a good token or certificate that opens nothing reads `said`,
    /// whether the tenant is not there or not allowed.
    pub(in crate::auth) fn nowhere(holder: Option<KeyId>, said: &'static str) -> Error {
        Error::forbidden(said).caused_by(Self { reason: Reason::Nowhere, key: holder })
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for Rejection {}

/// The kinds of no good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::auth) enum Reason {
    /// Another authentication scheme, or not a text at all.
    Unusable,
    /// Not a key: wrong shape or checksum.
    Malformed,
    /// No such key, or not its secret.
    Unknown,
    /// It was a key, or a secret of one: revoked, or past its date.
    Gone,
    /// A client certificate that is trusted no more, or one that says otherwise than the key, or
    /// none where every key needs one.
    Certificate,
    /// A good key, outside of its bounds.
    Outside(Outside),
    /// A good token or certificate of somebody who has no memory here.
    Nowhere,
    /// A token, and what is wrong with it.
    Token(Flaw),
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::Unusable => "no scheme that is known",
            Self::Malformed => "not a key",
            Self::Unknown => "no such key, or not its secret",
            Self::Gone => "revoked or expired",
            Self::Certificate => "client certificate",
            Self::Outside(Outside::Address) => "used from outside its networks",
            Self::Outside(Outside::Hours) => "used outside its hours",
            Self::Nowhere => "opens no memory here",
            Self::Token(flaw) => flaw.as_str(),
        }
    }
}

/// One way to know a caller.
#[async_trait]
pub(in crate::auth) trait Scheme: fmt::Debug + Send + Sync {
    /// Judges what was presented.
    ///
    /// # Errors
    /// Only when no judgement was possible (`Overloaded`, `Internal`); never for a bad
    /// credential.
    async fn attempt(&self, presented: Presented<'_>) -> Result<Attempt>;
}
