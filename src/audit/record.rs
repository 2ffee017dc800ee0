//! One decision, as it is written down.
//!
//! INVARIANT I5: names, ids, digests and outcomes, all of them ours or cleaned; never the
//! content of a memory, a credential, or an argument's value. Members that have nothing to say
//! are left out. What a client claims of itself is told apart from what is known (`client`).

use std::{borrow::Cow, net::IpAddr};

use jiff::Timestamp;
use serde::Serialize;

use super::digest::Digests;
use crate::{
    auth::Principal,
    domain::{
        Error, Kind, Result,
        action::{Action, Resource},
        client::ClientInfo,
        key::Role,
    },
    policy::permit::Because,
    telemetry::refusals::Layer,
};

/// What kind of thing is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Something was done with a memory, or was to be.
    Call,
    /// Any other request.
    Request,
    /// A command did something while no server ran.
    Command,
    /// The server started.
    Start,
    /// The server stopped.
    Stop,
    /// Policies, certificates or issuers' keys were read again.
    Reload,
    /// Refusals of late that were alike and were only counted.
    Repeated,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was permitted and done.
    Allowed,
    /// Role, scope or policy forbids it.
    Denied,
    /// No credential, or none that is good.
    Unauthenticated,
    /// A limit was reached.
    Limited,
    /// It was permitted, and breaks a rule or is about what is not there.
    Refused,
    /// It was permitted, and something broke or took too long.
    Failed,
    /// It was permitted, and the caller went away before its end.
    Abandoned,
}

impl Outcome {
    /// What an error of a permitted or refused action comes to.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::Forbidden | Kind::ScopeMissing(_) => Self::Denied,
            Kind::Unauthenticated => Self::Unauthenticated,
            Kind::LimitReached(_) | Kind::Overloaded { .. } => Self::Limited,
            Kind::BadInput | Kind::NotFound | Kind::Conflict | Kind::TooLarge => Self::Refused,
            Kind::Timeout | Kind::Unavailable | Kind::Internal => Self::Failed,
        }
    }

    /// What an HTTP status comes to.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Unauthenticated,
            403 => Self::Denied,
            429 => Self::Limited,
            // nginx's number for a caller who did not wait.
            499 => Self::Abandoned,
            500.. => Self::Failed,
            400.. => Self::Refused,
            _ => Self::Allowed,
        }
    }
}

/// Who asked, as far as it is known.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Who<'a> {
    /// The key's public id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<&'a str>,
    /// The id of the key, token's holder or certificate's holder that a refused credential named
    /// or belonged to. A mere claim: whoever knows an id can send it with a wrong secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed: Option<&'a str>,
    /// Agent or operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The tenant that the credential opens, by id and label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<&'a str>,
    /// The same, as people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<&'a str>,
    /// Whom the issuer of a token, or a certificate, names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<&'a str>,
    /// What the client says it is; nobody has checked it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<&'a ClientInfo>,
    /// Where the request came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

impl<'a> Who<'a> {
    /// A known caller.
    #[must_use]
    pub fn of(principal: &'a Principal) -> Self {
        let tenant = principal.tenant();
        Self {
            key: Some(principal.key_id().as_str()),
            claimed: None,
            role: Some(principal.role()),
            tenant: tenant.map(|tenant| tenant.id.as_str()),
            label: tenant.map(|tenant| tenant.label.as_str()),
            subject: principal.subject(),
            client: None,
            address: None,
        }
    }
}

/// One decision.
#[derive(Debug, Clone, Serialize)]
pub struct Record<'a> {
    /// What kind of thing this is.
    pub event: Event,
    /// The id that the caller was given.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub request: &'a str,
    /// Who asked.
    pub who: Who<'a>,
    /// The tool, the route, the command: a name of ours.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub what: Cow<'a, str>,
    /// What policy was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<&'static str>,
    /// On what: a tenant's id, or `deployment`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<&'a str>,
    /// The key, tenant or session that was made, changed or ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<&'a str>,
    /// The declared arguments that were given, and a digest of each value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<&'a Digests>,
    /// What came of it.
    pub outcome: Outcome,
    /// Who said no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<Layer>,
    /// The policies that decided.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub policies: &'a [Box<str>],
    /// The HTTP status, where it was the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// More, of a kind that depends on the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Cow<'a, str>>,
}

impl<'a> Record<'a> {
    /// A record of which only this is known.
    #[must_use]
    pub fn new(event: Event, what: impl Into<Cow<'a, str>>, outcome: Outcome) -> Self {
        Self {
            event,
            request: "",
            who: Who::default(),
            what: what.into(),
            action: None,
            resource: None,
            target: None,
            arguments: None,
            outcome,
            layer: None,
            policies: &[],
            status: None,
            detail: None,
        }
    }

    /// What a command did while no server ran: `made` went well, or failed.
    #[must_use]
    pub fn command<T>(action: Action, target: Option<&'a str>, made: &Result<T>) -> Self {
        let outcome = made.as_ref().map_or_else(|e| Outcome::of(e.kind()), |_| Outcome::Allowed);
        Self {
            action: Some(action.as_str()),
            resource: Some(DEPLOYMENT),
            target,
            ..Self::new(Event::Command, "command line", outcome)
        }
    }

    /// With the policies that permitted it.
    #[must_use]
    pub fn by(self, because: &'a Because) -> Self {
        Self { policies: because, ..self }
    }

    /// As one JSON object, made at `now`.
    ///
    /// # Errors
    /// `Internal`; our types have no way to fail.
    pub(in crate::audit) fn object(&self, now: Timestamp) -> Result<String> {
        #[derive(Serialize)]
        struct Timed<'a, 'b> {
            time: Timestamp,
            #[serde(flatten)]
            record: &'a Record<'b>,
        }
        serde_json::to_string(&Timed { time: now, record: self }).map_err(Error::internal)
    }
}

/// The name of [`Resource::Deployment`].
pub const DEPLOYMENT: &str = "deployment";

/// A resource's name in a record.
#[must_use]
pub fn resource(resource: &Resource) -> &str {
    match resource {
        Resource::Tenant(id) => id.as_str(),
        Resource::Deployment => DEPLOYMENT,
    }
}
