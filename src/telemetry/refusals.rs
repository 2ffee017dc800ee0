//! Why a request was refused, remembered for the operator who is asked about its id.
//!
//! The caller of a refused request reads a sentence and an id; who runs the deployment finds here
//! which layer said no, by which rule, and about what. A bounded number is kept, the oldest goes
//! first. Strangers and known callers have rings of their own: a flood of refused strangers must
//! not push out what an app's owner is about to ask for (I11). INVARIANT I5: no secret, no
//! memory and no text that a client chose is kept.

use std::{
    borrow::Cow,
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::domain::{
    action::{Action, Resource},
    key::KeyId,
    tenant::TenantId,
};

/// Refusals of known callers that are remembered.
pub const MAX_KNOWN: usize = 3072;
/// Refusals of strangers that are remembered.
pub const MAX_STRANGERS: usize = 1024;
/// Policies that are named of one refusal.
const MAX_RULES: usize = 16;

macro_rules! layers {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// Who said no, in the order in which a request meets them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Layer { $($(#[$doc])* $name,)+ }

        impl Layer {
            /// The name in answers to operators and in records.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

layers! {
    /// The size of the request's head.
    Head = "head",
    /// Whom it was addressed to.
    Host = "host",
    /// The web page it came from.
    Origin = "origin",
    /// Plain HTTP where HTTPS is required.
    Https = "https",
    /// The size or the pace of its body.
    Body = "body",
    /// Requests of one address.
    AddressLimit = "address_limit",
    /// No such path, or not with this method.
    Route = "route",
    /// The key.
    Credential = "credential",
    /// Requests of one key.
    KeyLimit = "key_limit",
    /// Requests, sessions and streams of one tenant at once.
    Places = "places",
    /// The role of the key, or a policy about the route.
    RoutePolicy = "route_policy",
    /// The route's own rules: a body, an id.
    Handler = "handler",
    /// The shape of an MCP message, its headers, its revision.
    Protocol = "protocol",
    /// A session that is unknown, somebody else's or ended.
    Session = "session",
    /// A tool that this key does not see.
    Tool = "tool",
    /// An argument of a tool.
    Arguments = "arguments",
    /// Tool calls of one key.
    ToolLimit = "tool_limit",
    /// A policy about what the tool does.
    ToolPolicy = "tool_policy",
    /// The audit log, which could not be written.
    Audit = "audit",
    /// No rule: something broke or took too long.
    Failure = "failure",
}

impl Serialize for Layer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What a layer knows about its refusal. Rides on the answer, beside the bytes that the caller
/// gets, to the place where the request ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// Who said no.
    pub layer: Layer,
    /// Why, in a sentence of ours.
    pub said: Cow<'static, str>,
    /// The policies that decided.
    pub rules: Vec<String>,
    /// What was asked for, where it was decided about.
    pub action: Option<Action>,
    /// On what.
    pub resource: Option<Resource>,
}

impl Why {
    /// A refusal by `layer`. SECURITY: where a sentence may repeat what the client wrote, only a
    /// fixed one is kept (test `i5_a_sentence_made_of_a_clients_words_is_not_kept`).
    pub fn new(layer: Layer, said: impl Into<Cow<'static, str>>) -> Self {
        let said = match said.into() {
            Cow::Owned(_)
                if matches!(layer, Layer::Handler | Layer::Protocol | Layer::Arguments) =>
            {
                Cow::Borrowed("the request breaks a rule; its answer says which")
            }
            said => said,
        };
        Self { layer, said, rules: Vec::new(), action: None, resource: None }
    }
}

/// Who asked, as far as it was known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// The key; none before the credential was accepted.
    pub key: Option<KeyId>,
    /// The tenant that the key opens.
    pub tenant: Option<TenantId>,
    /// Where the request came from.
    pub address: Option<IpAddr>,
    /// The route's pattern.
    pub route: Option<&'static str>,
    /// The tool, or what else was asked of a store.
    pub what: Option<&'static str>,
}

/// One remembered refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The id that the caller was given.
    pub request_id: Box<str>,
    /// When.
    pub at: Timestamp,
    /// Who said no.
    pub layer: Layer,
    /// Why.
    pub why: Cow<'static, str>,
    /// The policies that decided; empty when no policy was asked, or none permitted it.
    pub rules: Vec<String>,
    /// What was asked for.
    pub action: Option<&'static str>,
    /// On what: a tenant's id, or `deployment`.
    pub resource: Option<String>,
    /// The HTTP status; none for a tool's answer, which is a 200 with an error in it.
    pub status: Option<u16>,
    /// Who asked.
    #[serde(flatten)]
    pub asked: Asked,
}

/// The refusals of late.
#[derive(Debug, Default)]
pub struct Refusals {
    known: Mutex<Ring>,
    strangers: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    order: VecDeque<Box<str>>,
    by_id: HashMap<Box<str>, Arc<Refused>>,
}

impl Refusals {
    /// Remembers why the request with this id was refused. What was said first stays: it is the
    /// cause of whatever the layers further out made of it.
    pub fn note(&self, id: &str, at: Timestamp, why: Why, status: Option<u16>, asked: Asked) {
        let (ring, most) = if asked.key.is_some() {
            (&self.known, MAX_KNOWN)
        } else {
            (&self.strangers, MAX_STRANGERS)
        };
        let Why { layer, said, mut rules, action, resource } = why;
        rules.truncate(MAX_RULES);
        let resource = resource.map(|resource| match resource {
            Resource::Tenant(id) => id.as_str().to_owned(),
            Resource::Deployment => "deployment".to_owned(),
        });
        let (request_id, action) = (Box::<str>::from(id), action.map(Action::as_str));
        let refused =
            Refused { request_id, at, layer, why: said, rules, action, resource, status, asked };
        ring.lock().unwrap_or_else(PoisonError::into_inner).push(refused, most);
    }

    /// Why the request with this id was refused, if that is still known.
    #[must_use]
    pub fn explain(&self, id: &str) -> Option<Arc<Refused>> {
        [&self.known, &self.strangers].iter().find_map(|ring| {
            ring.lock().unwrap_or_else(PoisonError::into_inner).by_id.get(id).cloned()
        })
    }
}

impl Ring {
    fn push(&mut self, refused: Refused, most: usize) {
        let id = refused.request_id.clone();
        if self.by_id.contains_key(&id) {
            return;
        }
        while self.order.len() >= most {
            if let Some(oldest) = self.order.pop_front() {
                self.by_id.remove(&oldest);
            }
        }
        self.order.push_back(id.clone());
        self.by_id.insert(id, Arc::new(refused));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(key: Option<&str>) -> Asked {
        Asked { key: key.map(|key| KeyId::parse(key).unwrap()), ..Asked::default() }
    }

    fn note(refusals: &Refusals, id: &str, key: Option<&str>, said: &'static str) {
        let why = Why::new(Layer::KeyLimit, said);
        refusals.note(id, Timestamp::UNIX_EPOCH, why, Some(429), asked(key));
    }

    #[test]
    fn the_oldest_goes_first_and_strangers_push_out_nobody_else() {
        let refusals = Refusals::default();
        note(&refusals, "known", Some("000000000000"), "x");
        for n in 0..=MAX_STRANGERS {
            note(&refusals, &format!("s{n}"), None, "x");
        }
        assert!(refusals.explain("known").is_some());
        assert!(refusals.explain("s0").is_none());
        assert!(refusals.explain("s1").is_some());
        assert_eq!(refusals.strangers.lock().unwrap().by_id.len(), MAX_STRANGERS);
        for n in 0..MAX_KNOWN {
            note(&refusals, &format!("k{n}"), Some("000000000000"), "x");
        }
        assert!(refusals.explain("known").is_none());
        assert_eq!(refusals.known.lock().unwrap().by_id.len(), MAX_KNOWN);
    }

    #[test]
    fn what_was_said_first_stays() {
        let refusals = Refusals::default();
        note(&refusals, "a", None, "the cause");
        note(&refusals, "a", None, "what became of it");
        assert_eq!(refusals.explain("a").unwrap().why, "the cause");
        assert!(refusals.explain("b").is_none());
    }

    #[test]
    fn i5_a_sentence_made_of_a_clients_words_is_not_kept() {
        for layer in [Layer::Handler, Layer::Protocol, Layer::Arguments] {
            let why = Why::new(layer, format!("no argument `{}`", "hunter2"));
            assert!(!why.said.contains("hunter2"));
        }
        assert_eq!(Why::new(Layer::Handler, "fixed").said, "fixed");
        assert_eq!(Why::new(Layer::KeyLimit, "12 s".to_owned()).said, "12 s");
    }
}
