//! What one check found, and what to do about it.

use std::fmt;

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// In order.
    Fine,
    /// Works, and deserves a look.
    Warning,
    /// Does not work, or is not safe.
    Wrong,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The family of checks.
    pub check: &'static str,
    /// How bad it is.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Finding {
    /// In order.
    pub fn fine(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Fine, found: found.into(), hint: None }
    }

    /// Works, and deserves a look.
    pub fn warning(check: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Self {
        let hint = Some(hint.into());
        Self { check, verdict: Verdict::Warning, found: found.into(), hint }
    }

    /// Does not work, or is not safe.
    pub fn wrong(check: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Self {
        let hint = Some(hint.into());
        Self { check, verdict: Verdict::Wrong, found: found.into(), hint }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.verdict {
            Verdict::Fine => "ok  ",
            Verdict::Warning => "look",
            Verdict::Wrong => "BAD ",
        };
        write!(f, "{mark}  {:<12}  {}", self.check, self.found)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n      {:<12}  -> {hint}", "")?;
        }
        Ok(())
    }
}
