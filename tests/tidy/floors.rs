//! Versions below which a dependency has a known hole, and crates that may not come in at all.
//!
//! Advisory databases miss some of these (a fix without an advisory, an advisory filed late), so
//! the list stands here, beside the lock file it is checked against.

use crate::source::Tree;

/// The first version without the fault.
const FLOORS: [(&str, [u64; 3]); 14] = [
    ("rmcp", [3, 9, 0]),
    ("h2", [0, 4, 16]),
    ("hyper", [1, 12, 0]),
    ("rustls", [0, 23, 18]),
    ("rustls-webpki", [0, 103, 13]),
    ("tokio", [1, 44, 2]),
    ("bytes", [1, 11, 1]),
    ("time", [0, 3, 47]),
    ("tracing-subscriber", [0, 3, 20]),
    ("lru", [0, 18, 2]),
    ("libsqlite3-sys", [0, 39, 1]),
    ("aws-lc-sys", [0, 39, 0]),
    ("jsonwebtoken", [11, 1, 0]),
    ("tower-http", [0, 7, 1]),
];

/// Crates with a reason to stay out.
const BANNED: [(&str, &str); 6] = [
    ("openssl-sys", "one TLS stack: rustls"),
    ("native-tls", "one TLS stack: rustls"),
    ("rsa", "timing leak without a fix"),
    ("rustls-pemfile", "unmaintained; rustls-pki-types reads PEM"),
    ("serde_yml", "unsound"),
    ("sqlx", "cannot be linked beside rusqlite"),
];

/// Locked packages that are too old or banned.
pub(crate) fn complaints(tree: &Tree) -> Vec<String> {
    let lock: toml::Table = tree.text("Cargo.lock").parse().expect("Cargo.lock is TOML");
    let packages = lock.get("package").and_then(toml::Value::as_array).expect("it has packages");
    let mut found = Vec::new();
    for package in packages {
        let (name, version) = (field(package, "name"), field(package, "version"));
        if let Some((_, floor)) = FLOORS.iter().find(|(n, _)| *n == name)
            && numbers(version) < *floor
        {
            found.push(format!("{name} {version} is older than {floor:?}"));
        }
        if let Some((_, reason)) = BANNED.iter().find(|(n, _)| *n == name) {
            found.push(format!("{name} is banned: {reason}"));
        }
    }
    found
}

fn field<'p>(package: &'p toml::Value, name: &str) -> &'p str {
    package.get(name).and_then(toml::Value::as_str).unwrap_or_default()
}

fn numbers(version: &str) -> [u64; 3] {
    let mut parts = version.split(['.', '-', '+']).map(|n| n.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

#[test]
fn an_old_and_a_banned_crate_are_found() {
    let lock = "[[package]]\nname = \"h2\"\nversion = \"0.4.9\"\n\
                [[package]]\nname = \"rsa\"\nversion = \"0.9.0\"\n\
                [[package]]\nname = \"rmcp\"\nversion = \"3.10.0\"\n";
    assert_eq!(complaints(&Tree::of(&[("Cargo.lock", lock)])).len(), 2);
}
