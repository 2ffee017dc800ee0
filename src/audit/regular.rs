//! Opening the files of the log, and nothing else that lies under their names.
//!
//! SECURITY: who can write to the directory could put a pipe there, on which a reader or the writer
//! would wait for ever, or a link to somewhere else. Neither is followed (test
//! `i11_a_pipe_or_a_link_stops_nobody`).

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use rustix::fs::OFlags;

/// The largest small file: heads and keys.
const SMALL: u64 = 64 << 10;

/// A regular file, opened as `options` say.
pub(in crate::audit) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = options.custom_flags(flags.bits().cast_signed()).mode(0o600).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::other("not a regular file; move it away"))
}

/// A regular file, for reading.
pub(in crate::audit) fn read(path: &Path) -> io::Result<File> {
    open(path, OpenOptions::new().read(true))
}

/// The text of a small file.
pub(in crate::audit) fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    read(path)?.take(SMALL).read_to_string(&mut text)?;
    Ok(text)
}
