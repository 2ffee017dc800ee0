//! How safe a deployment is as it stands: every setting, file and circumstance that loosens
//! something, how bad that is, why, and the line that mends it.
//!
//! What memgate refuses to start with is in [`safety`](super::safety); here is what it starts with
//! and should not be there by accident. The findings about settings are made here ([`settings`]),
//! those about files, keys and the process by the room `app`, which can see them.

pub mod settings;

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use arc_swap::ArcSwap;
use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Looked at, and in order.
    Ok,
    /// Worth knowing.
    Note,
    /// Weaker than it could be.
    Warning,
    /// A way in for somebody who should have none.
    Danger,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The family of checks.
    pub check: &'static str,
    /// What was found, and why it matters.
    pub why: String,
    /// The line of configuration, or the command, that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Finding {
    /// In order.
    pub fn ok(check: &'static str, why: impl Into<String>) -> Self {
        Self { severity: Severity::Ok, check, why: why.into(), fix: None }
    }

    /// Not as it could be.
    pub fn new(
        severity: Severity,
        check: &'static str,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { severity, check, why: why.into(), fix: Some(fix.into()) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.severity {
            Severity::Ok => "ok",
            Severity::Note => "note",
            Severity::Warning => "WARNING",
            Severity::Danger => "DANGER",
        };
        write!(f, "{mark:<7}  {:<14}  {}", self.check, self.why)?;
        if let Some(fix) = &self.fix {
            write!(f, "\n{:<25}-> {fix}", "")?;
        }
        Ok(())
    }
}

/// The findings of a family, or that it is in order.
#[must_use]
pub fn family(check: &'static str, found: Vec<Finding>, in_order: &str) -> Vec<Finding> {
    if found.is_empty() { vec![Finding::ok(check, in_order)] } else { found }
}

/// Everything that was found, the worst first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The worst severity there is.
    pub worst: Severity,
    /// How many findings are dangers.
    pub dangers: usize,
    /// How many are warnings.
    pub warnings: usize,
    /// How many are notes.
    pub notes: usize,
    /// What was found.
    pub findings: Vec<Finding>,
}

impl Default for Report {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Report {
    /// A report of these findings.
    #[must_use]
    pub fn new(mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
        Self {
            worst: findings.first().map_or(Severity::Ok, |finding| finding.severity),
            dangers: count(Severity::Danger),
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
            findings,
        }
    }

    /// The same without what is in order: for places where only trouble is of interest.
    #[must_use]
    pub fn trouble(&self) -> Self {
        let is_trouble = |finding: &&Finding| finding.severity > Severity::Ok;
        Self::new(self.findings.iter().filter(is_trouble).cloned().collect())
    }

    /// One line.
    #[must_use]
    pub fn summary(&self) -> String {
        let Self { dangers, warnings, notes, .. } = self;
        format!("{dangers} dangers, {warnings} warnings, {notes} notes")
    }
}

/// What a running server found when it looked last.
#[derive(Debug, Default)]
pub struct Posture {
    settled: OnceLock<Settled>,
    current: ArcSwap<Report>,
}

/// What does not change while a server runs.
#[derive(Debug, Clone, Default)]
pub struct Settled {
    /// The findings about the settings.
    pub findings: Vec<Finding>,
    /// The settings file, if there is one.
    pub file: Option<PathBuf>,
}

impl Posture {
    /// Says what does not change; the first word counts.
    pub fn settle(&self, settled: Settled) {
        let _ = self.settled.set(settled);
    }

    /// What does not change, once it was said.
    #[must_use]
    pub fn settled(&self) -> Option<&Settled> {
        self.settled.get()
    }

    /// A newer report.
    pub fn update(&self, report: Report) {
        self.current.store(Arc::new(report));
    }

    /// The newest report.
    #[must_use]
    pub fn report(&self) -> Arc<Report> {
        self.current.load_full()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_first_and_is_counted() {
        let findings = vec![
            Finding::ok("a", "x"),
            Finding::new(Severity::Warning, "b", "x", "y"),
            Finding::new(Severity::Danger, "c", "x", "y"),
        ];
        let report = Report::new(findings);
        assert_eq!(report.worst, Severity::Danger);
        assert_eq!(report.findings[0].check, "c");
        assert_eq!(report.summary(), "1 dangers, 1 warnings, 0 notes");
        assert_eq!(report.trouble().findings.len(), 2);
        assert_eq!(Report::default().worst, Severity::Ok);
    }
}
