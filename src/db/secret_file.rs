//! Writing a secret to a file: for its owner's eyes, whole or not at all, never over another.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use zeroize::Zeroizing;

use super::data_dir::sync_parent;
use crate::domain::{Error, Kind, Result, secret::Secret};

/// Writes `secret` and a line end to a new file that only its owner can read. It survives a
/// power cut when this returns.
///
/// # Errors
/// `Conflict` when the file exists; `Unavailable` when it cannot be written, and then none is
/// left behind.
pub fn write(path: &Path, secret: &Secret) -> Result<()> {
    write_text(path, &Zeroizing::new(format!("{}\n", secret.expose())))
}

/// Writes text that holds a secret.
///
/// # Errors
/// As [`write()`].
pub fn write_text(path: &Path, text: &str) -> Result<()> {
    // SECURITY: the mode is given at birth, so there is no moment in which others can read it,
    // and `create_new` follows no link (test `i5_a_secret_file_is_its_owners_alone`).
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.map_err(|e| refused(path, e))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if let Err(cause) = written {
        let _ = fs::remove_file(path);
        return Err(refused(path, cause));
    }
    sync_parent(path)
}

fn refused(path: &Path, cause: io::Error) -> Error {
    let shown = path.display();
    if cause.kind() == io::ErrorKind::AlreadyExists {
        return Error::new(
            Kind::Conflict,
            format!("{shown} exists already; name another file, or move it away"),
        );
    }
    Error::new(Kind::Unavailable, format!("{shown} cannot be written")).caused_by(cause)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn i5_a_secret_file_is_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("agent.key");
        let secret = Secret::new("k7Qd93jf8sLw02Xm".to_owned());
        write(&path, &secret).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "k7Qd93jf8sLw02Xm\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(write(&path, &secret).unwrap_err().kind(), Kind::Conflict);

        let victim = directory.path().join("victim");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        assert!(write(&link, &secret).is_err());
        assert!(!victim.exists());
    }
}
