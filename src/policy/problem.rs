//! What is wrong with a policy: where, what, and what to do about it.

use std::fmt;

use miette::Diagnostic;

/// One complaint about one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as the operator named it.
    pub file: String,
    /// The line, where one is to blame.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub fix: String,
}

impl Problem {
    /// A complaint about a whole file or directory.
    #[must_use]
    pub fn of_file(file: &str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, what: what.into(), fix: fix.into() }
    }

    /// What Cedar says, with the line that it points at.
    pub(super) fn of_cedar(file: &str, text: &str, says: &dyn Diagnostic, fix: &str) -> Self {
        let offset = says.labels().and_then(|mut labels| labels.next()).map(|l| l.offset());
        let line = offset
            .and_then(|offset| text.get(..offset))
            .map(|before| before.matches('\n').count() + 1);
        let fix = says.help().map_or_else(|| fix.to_owned(), |help| help.to_string());
        Self { file: file.to_owned(), line, what: says.to_string(), fix }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}; {}", self.what, self.fix)
    }
}
