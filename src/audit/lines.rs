//! The lines of a segment, and what stands after the last whole one.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

use super::regular;

/// Bytes of a line that are read at most: the longest record is far shorter.
const MOST: u64 = 1 << 20;

/// Reads a segment line by line.
pub(in crate::audit) struct Lines {
    file: BufReader<File>,
    line: Vec<u8>,
    /// Bytes of whole lines so far.
    pub(in crate::audit) whole: u64,
}

/// What stands next.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::audit) enum Piece<'a> {
    /// A whole line, without its end.
    Line(&'a str),
    /// A line that is no text, or longer than any record.
    Noise,
    /// Bytes after the last end of line.
    Torn(usize),
}

impl Lines {
    pub(in crate::audit) fn of(path: &Path) -> io::Result<Self> {
        let file = BufReader::with_capacity(1 << 16, regular::read(path)?);
        Ok(Self { file, line: Vec::new(), whole: 0 })
    }

    pub(in crate::audit) fn next(&mut self) -> io::Result<Option<Piece<'_>>> {
        use io::Read as _;
        self.line.clear();
        let read = self.file.by_ref().take(MOST).read_until(b'\n', &mut self.line)?;
        self.whole += read as u64;
        Ok(match self.line.split_last() {
            None => None,
            Some((b'\n', line)) => Some(str::from_utf8(line).map_or(Piece::Noise, Piece::Line)),
            Some(_) if read as u64 == MOST => Some(Piece::Noise),
            Some(_) => {
                self.whole -= read as u64;
                Some(Piece::Torn(read))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn whole_lines_and_what_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        fs::write(&path, b"one\n\xff\n\nta").unwrap();
        let mut lines = Lines::of(&path).unwrap();
        assert_eq!(lines.next().unwrap(), Some(Piece::Line("one")));
        assert_eq!(lines.next().unwrap(), Some(Piece::Noise));
        assert_eq!(lines.next().unwrap(), Some(Piece::Line("")));
        assert_eq!(lines.next().unwrap(), Some(Piece::Torn(2)));
        assert_eq!(lines.whole, 7);
        fs::write(&path, "").unwrap();
        assert_eq!(Lines::of(&path).unwrap().next().unwrap(), None);
    }
}
