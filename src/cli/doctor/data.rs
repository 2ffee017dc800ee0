//! The data directory: who may read what lies in it, and whether there is room.
//!
//! What memgate refuses to start with is found with the settings; here are the files inside,
//! which a careless copy or restore may have opened to others.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::{Finding, Patient};

const CHECK: &str = "data";

/// Less room than this stops writes soon.
const LITTLE_BYTES: u64 = 256 << 20;

/// Files that are named one by one; the rest is counted.
const NAMED: usize = 5;

pub(in crate::cli::doctor) fn examine(patient: &Patient) -> Vec<Finding> {
    let root = &patient.settings().storage.data_dir;
    if root.symlink_metadata().is_err() {
        let found = format!("{} does not exist yet", root.display());
        return vec![Finding::fine(CHECK, format!("{found}; the first start makes it"))];
    }
    let mut open = Vec::new();
    let unreadable = walk(root, 3, &mut open);
    let mut findings: Vec<_> = open
        .iter()
        .take(NAMED)
        .map(|path| {
            let shown = path.display();
            let hint = format!("run `chmod go= {shown}`");
            Finding::wrong(CHECK, format!("others may read {shown}"), hint)
        })
        .collect();
    if open.len() > NAMED {
        let found = format!("others may read {} more files", open.len() - NAMED);
        let hint = format!("run `chmod -R go= {}`", root.display());
        findings.push(Finding::wrong(CHECK, found, hint));
    }
    if let Err(cause) = unreadable {
        let found = format!("{} cannot be read: {cause}", root.display());
        findings.push(Finding::wrong(CHECK, found, "run doctor as the user that runs memgate"));
    }
    findings.extend(room(root));
    if findings.is_empty() {
        let server = if patient.server_runs { ", a server runs on it" } else { "" };
        findings.push(Finding::fine(CHECK, format!("{} is private{server}", root.display())));
    }
    findings
}

/// Everything below `directory` that others may read or write; links are not followed.
fn walk(directory: &Path, depth: u8, open: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // A running server makes and removes files: one that is gone is no finding.
        let Ok(meta) = entry.path().symlink_metadata() else { continue };
        if !meta.is_symlink() && meta.mode() & 0o077 != 0 {
            open.push(entry.path());
        }
        if meta.is_dir() && depth > 0 {
            walk(&entry.path(), depth - 1, open)?;
        }
    }
    Ok(())
}

fn room(root: &Path) -> Option<Finding> {
    let disk = rustix::fs::statvfs(root).ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    (free < LITTLE_BYTES).then(|| {
        let found = format!("only {} MiB are free below {}", free >> 20, root.display());
        Finding::warning(CHECK, found, "make room: without it memories cannot be written")
    })
}
