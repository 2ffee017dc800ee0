//! What a person or a script reads: lines, aligned tables, JSON, complaints.
//!
//! [`Printer`] is the only writer of stdout and stderr (log lines apart). Answers go to stdout,
//! complaints and hints to stderr, so that a script can take the one without the other. Names
//! that clients chose are printed too: a character that could steer the terminal never is.

use std::{
    cell::RefCell,
    fmt::{self, Display},
    io::{self, IsTerminal as _, Write},
};

use serde::Serialize;

use crate::domain::{Error, Kind, Result, client::is_hidden, secret::Secret};

/// Where output goes.
pub struct Printer {
    out: RefCell<Box<dyn Write>>,
    err: RefCell<Box<dyn Write>>,
    is_terminal: bool,
}

impl fmt::Debug for Printer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Printer").field("is_terminal", &self.is_terminal).finish_non_exhaustive()
    }
}

impl Printer {
    /// The process's own stdout and stderr.
    #[must_use]
    pub fn of_process() -> Self {
        Self::new(io::stdout(), io::stderr(), io::stdout().is_terminal())
    }

    /// Any two writers; `is_terminal` says whether a person reads the first.
    pub fn new(out: impl Write + 'static, err: impl Write + 'static, is_terminal: bool) -> Self {
        Self { out: RefCell::new(Box::new(out)), err: RefCell::new(Box::new(err)), is_terminal }
    }

    /// Whether a person reads stdout: the only place where a secret may be shown unasked.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// One or more lines of an answer.
    ///
    /// # Errors
    /// `Unavailable` when nobody takes them: a full disk, a closed pipe.
    pub fn line(&self, text: impl Display) -> Result<()> {
        let text = safe(&text.to_string());
        let mut out = self.out.borrow_mut();
        writeln!(out, "{text}").and_then(|()| out.flush()).map_err(unwritable)
    }

    /// A secret on a line of its own.
    ///
    /// # Errors
    /// As [`line`](Self::line).
    pub fn secret(&self, secret: &Secret) -> Result<()> {
        // Written as it is, since a copy would not be wiped; a key has no hidden character.
        let mut out = self.out.borrow_mut();
        let written = out.write_all(secret.expose().as_bytes()).and_then(|()| out.write_all(b"\n"));
        written.and_then(|()| out.flush()).map_err(unwritable)
    }

    /// A value for scripts.
    ///
    /// # Errors
    /// As [`line`](Self::line).
    pub fn json(&self, value: &impl Serialize) -> Result<()> {
        self.line(serde_json::to_string_pretty(value).map_err(Error::internal)?)
    }

    /// Something is wrong.
    pub fn error(&self, what: impl Display) {
        self.complain(format_args!("error: {what}"));
    }

    /// Something worth knowing besides the answer.
    pub fn hint(&self, what: impl Display) {
        self.complain(format_args!("hint: {what}"));
    }

    /// Lines on stderr. If nobody reads it there is nobody left to tell.
    pub fn complain(&self, text: impl Display) {
        let _ = writeln!(self.err.borrow_mut(), "{}", safe(&text.to_string()));
    }
}

fn unwritable(cause: io::Error) -> Error {
    Error::new(Kind::Unavailable, "the output cannot be written").caused_by(cause)
}

/// Line ends stay; everything else that is not to be seen becomes a replacement character.
fn safe(text: &str) -> String {
    text.chars().map(|c| if c != '\n' && is_hidden(c) { '\u{fffd}' } else { c }).collect()
}

/// Columns under their headings.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    #[must_use]
    pub fn new<const N: usize>(headings: [&str; N]) -> Self {
        Self { rows: vec![headings.map(str::to_owned).to_vec()] }
    }

    /// Adds a row. A line end in a cell would look like another row, so it is replaced.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| cell.replace('\n', "\u{fffd}")).to_vec());
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        for (i, row) in self.rows.iter().enumerate() {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            let line = cells.collect::<Vec<_>>().join("  ");
            write!(f, "{}{}", if i == 0 { "" } else { "\n" }, line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(in crate::cli) mod tests {
    use std::{cell::RefCell, rc::Rc};

    use super::*;

    /// What a [`Printer`] printed.
    #[derive(Debug, Clone, Default)]
    pub(in crate::cli) struct Captured(Rc<RefCell<Vec<u8>>>);

    impl Captured {
        pub(in crate::cli) fn text(&self) -> String {
            String::from_utf8(self.0.borrow().clone()).unwrap()
        }
    }

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A printer, and what it prints to stdout and stderr.
    pub(in crate::cli) fn captured(is_terminal: bool) -> (Printer, Captured, Captured) {
        let (out, err) = (Captured::default(), Captured::default());
        (Printer::new(out.clone(), err.clone(), is_terminal), out, err)
    }

    #[test]
    fn columns_line_up_and_lines_do_not_end_in_blanks() {
        let mut table = Table::new(["ID", "NAME"]);
        table.row(["s_1".to_owned(), String::new()]);
        table.row(["s_1234".to_owned(), "b\u{e9}\nforged row".to_owned()]);
        assert_eq!(table.to_string(), "ID      NAME\ns_1\ns_1234  b\u{e9}\u{fffd}forged row");
    }

    #[test]
    fn nothing_printed_steers_a_terminal() {
        let (printer, out, err) = captured(true);
        printer.line("a\u{1b}[2Jb\u{202e}\nc").unwrap();
        printer.error("x\u{7}y");
        assert_eq!(out.text(), "a\u{fffd}[2Jb\u{fffd}\nc\n");
        assert_eq!(err.text(), "error: x\u{fffd}y\n");
    }

    #[test]
    fn an_answer_that_nobody_takes_is_an_error() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let printer = Printer::new(Full, Full, false);
        assert_eq!(printer.line("key").unwrap_err().kind(), Kind::Unavailable);
        printer.error("nobody hears this");
    }
}
