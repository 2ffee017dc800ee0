//! What a denial was about: for the operator, never for the caller.

use std::fmt;

use super::set::Verdict;
use crate::domain::{
    Error,
    action::{Action, Resource},
};

/// The inside of a refusal by policy: it is the cause of the error that the caller gets, so it
/// travels with it and stays inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// What was asked for.
    pub action: Action,
    /// On what.
    pub resource: Resource,
    /// The policies that decided; empty when none matched.
    pub because: Vec<String>,
    /// Some policy failed while it was evaluated.
    pub failed: bool,
}

impl Denial {
    pub(super) fn of(verdict: Verdict, action: Action, resource: Resource) -> Self {
        let failed = !verdict.errors.is_empty();
        Self { action, resource, because: verdict.because, failed }
    }

    /// The denial behind an error, if it is one.
    #[must_use]
    pub fn behind(error: &Error) -> Option<&Self> {
        std::error::Error::source(error)?.downcast_ref()
    }

    /// Why, in one sentence.
    #[must_use]
    pub fn sentence(&self) -> &'static str {
        if self.failed {
            "a policy failed while it was evaluated, which denies"
        } else if self.because.is_empty() {
            "no policy permits it, or there is no such tenant"
        } else {
            "a policy forbids it"
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.sentence(), self.because.join(", "))
    }
}

impl std::error::Error for Denial {}
