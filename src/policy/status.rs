//! What operators see of the policies in force.

use jiff::Timestamp;
use serde::Serialize;

use super::problem::Problem;

/// Problems that are kept of one refused set.
const MAX_PROBLEMS: usize = 20;

/// The policies in force, and why newer ones are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// `built-in`, or `directory`.
    pub source: &'static str,
    /// SHA-256 over the names and texts of the files, in hexadecimal: equal on two machines when
    /// they decide alike.
    pub digest: String,
    /// How many policies there are, the built-in walls included.
    pub policies: usize,
    /// Since when they are in force.
    pub since: Timestamp,
    /// Whether decisions are remembered; not when a policy looks at the circumstances.
    pub remembered: bool,
    /// Why the files that lie there now are not in force; none when they are.
    pub refused: Option<Refused>,
}

/// A set that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// When it was looked at last.
    pub at: Timestamp,
    /// What is wrong with it: file, line, fix.
    pub problems: Vec<String>,
}

impl Refused {
    pub(super) fn new(at: Timestamp, found: &[Problem]) -> Self {
        let problems = found.iter().take(MAX_PROBLEMS).map(ToString::to_string).collect();
        Self { at, problems }
    }
}
