//! Files that others may read or change.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use crate::{
    config::{
        Settings,
        posture::{
            Finding,
            Severity::{Danger, Warning},
            family,
        },
    },
    db::paths::Paths,
};

/// Files that are named one by one.
const NAMED: usize = 5;
/// Bits with which others than the owner change a file.
const WRITABLE: u32 = 0o022;

pub(super) fn examine(settings: &Settings, file: Option<&Path>) -> Vec<Finding> {
    let paths = Paths::below(&settings.storage.data_dir);
    let mut found = data(&settings.storage.data_dir);
    found.extend(file.and_then(settings_file));
    let tls = settings.listen.tls.as_ref();
    found.extend(tls.and_then(|tls| private_key(&tls.private_key)));
    let judges = tls.into_iter().flat_map(|tls| [&tls.client_ca, &tls.client_crl]);
    found.extend(judges.flatten().filter_map(|file| judge(file)));
    let policies = settings.policy.directory.as_deref().map(policies).unwrap_or_default();
    [
        family("files", found, "nobody else reads or changes them"),
        family("first keys", bootstrap(&paths.bootstrap_dir()), "no key lies in a file"),
        family("policies", policies, "nobody else changes them"),
    ]
    .concat()
}

/// What lies in the data directory itself; `memgate doctor` looks into every tenant's.
fn data(root: &Path) -> Vec<Finding> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    let open = entries.filter(|path| mode(path).is_some_and(|mode| mode & 0o077 != 0));
    open.take(NAMED)
        .map(|path| {
            let shown = path.display();
            let why = format!("others may read or change {shown}");
            Finding::new(Danger, "files", why, format!("chmod go= {shown}"))
        })
        .collect()
}

fn settings_file(file: &Path) -> Option<Finding> {
    let shown = file.display();
    (mode(file)? & WRITABLE != 0).then(|| {
        let why = format!("others may change {shown}, and with it every setting");
        Finding::new(Danger, "files", why, format!("chmod go-w {shown}"))
    })
}

fn private_key(file: &Path) -> Option<Finding> {
    let shown = file.display();
    let open = fs::metadata(file).ok()?.mode() & 0o007 != 0;
    open.then(|| {
        let why = format!("others may read the TLS key {shown}");
        Finding::new(Danger, "files", why, format!("chmod o= {shown}"))
    })
}

/// Who writes an authority into that file is let in under any name; who empties a revocation list
/// lets the revoked in again.
fn judge(file: &Path) -> Option<Finding> {
    let shown = file.display();
    // What a link of a mounted secret points at is what is read.
    (fs::metadata(file).ok()?.mode() & WRITABLE != 0).then(|| {
        let why = format!("others may change {shown}, and with it whose certificates are good");
        Finding::new(Danger, "files", why, format!("chmod go-w {shown}"))
    })
}

/// The keys of the first start, which belong to whoever uses them.
fn bootstrap(directory: &Path) -> Vec<Finding> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut keys: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "key"))
        .collect();
    keys.sort();
    keys.iter()
        .map(|path| {
            let shown = path.display();
            let why = format!("{shown} holds a key that works; whoever copies it may use it");
            let fix = format!("rm {shown} once it is where it belongs");
            Finding::new(Warning, "first keys", why, fix)
        })
        .collect()
}

/// Who changes a policy gives itself every right but those that the walls keep.
fn policies(directory: &Path) -> Vec<Finding> {
    const CHECK: &str = "policies";
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path());
    let files = files.filter(|path| path.extension().is_some_and(|e| e == "cedar"));
    let mut found = Vec::new();
    for path in std::iter::once(directory.to_owned()).chain(files) {
        // What a link points at is what is read.
        let Ok(state) = fs::metadata(&path) else { continue };
        let shown = path.display();
        if state.mode() & WRITABLE != 0 {
            let why = format!("others may change {shown}, and with it who may do what");
            found.push(Finding::new(Danger, CHECK, why, format!("chmod go-w {shown}")));
        }
        let owner = state.uid();
        if owner != 0 && owner != rustix::process::geteuid().as_raw() {
            let why = format!("{shown} belongs to another user, who may change it");
            found.push(Finding::new(Warning, CHECK, why, format!("chown root {shown}")));
        }
    }
    found.truncate(NAMED);
    found
}

/// The mode of the file itself; a link has none of its own.
fn mode(path: &Path) -> Option<u32> {
    let state = path.symlink_metadata().ok()?;
    (!state.is_symlink()).then(|| state.mode())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::config::{listen::Tls, posture::Severity};

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn each_file_that_is_too_open_is_named_with_its_command() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        let mut settings = Settings::default();
        settings.storage.data_dir = path("data");
        settings.policy.directory = Some(path("policies"));
        settings.listen.tls = Some(Tls {
            private_key: path("tls.key"),
            client_ca: Some(path("clients.pem")),
            ..Tls::default()
        });
        for directory in ["data", "data/bootstrap", "policies"] {
            fs::create_dir(path(directory)).unwrap();
            chmod(&path(directory), 0o700);
        }
        for file in
            ["memgate.toml", "tls.key", "clients.pem", "data/control.db", "policies/a.cedar"]
        {
            fs::write(path(file), "").unwrap();
            chmod(&path(file), 0o600);
        }
        let file = path("memgate.toml");
        let trouble = || {
            let found = examine(&settings, Some(&file)).into_iter();
            found.filter(|f| f.severity > Severity::Ok).collect::<Vec<_>>()
        };
        assert_eq!(trouble(), []);
        for (name, open, closed, severity, fix) in [
            ("memgate.toml", 0o620, 0o600, Danger, "chmod go-w "),
            ("tls.key", 0o604, 0o600, Danger, "chmod o= "),
            ("clients.pem", 0o620, 0o600, Danger, "chmod go-w "),
            ("data/control.db", 0o640, 0o600, Danger, "chmod go= "),
            ("policies", 0o777, 0o700, Danger, "chmod go-w "),
            ("policies/a.cedar", 0o666, 0o600, Danger, "chmod go-w "),
        ] {
            chmod(&path(name), open);
            let found = trouble();
            assert_eq!(found.len(), 1, "{name}: {found:?}");
            assert_eq!(found[0].severity, severity);
            let wanted = format!("{fix}{}", path(name).display());
            assert_eq!(found[0].fix.as_deref(), Some(wanted.as_str()));
            chmod(&path(name), closed);
        }
        fs::write(path("data/bootstrap/agent.key"), "").unwrap();
        let found = trouble();
        assert!(found.len() == 1 && found[0].severity == Warning, "{found:?}");
    }
}
