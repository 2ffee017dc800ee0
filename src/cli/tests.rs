//! Commands as they are typed: what is understood, what is printed, how it ends.

use std::{fmt::Write as _, path::Path};

use super::{
    output::tests::{Captured, captured},
    *,
};

/// How a command ended.
struct Ended {
    code: ExitCode,
    out: Captured,
    err: Captured,
}

impl Ended {
    #[track_caller]
    fn ok(&self) -> String {
        assert_eq!(self.code, ExitCode::SUCCESS, "{}", self.err.text());
        self.out.text()
    }

    #[track_caller]
    fn failed(&self, code: u8) -> String {
        assert_eq!(self.code, ExitCode::from(code), "{}{}", self.out.text(), self.err.text());
        self.err.text()
    }
}

fn memgate(data: &Path, arguments: &[&str]) -> Ended {
    let (printer, out, err) = captured(false);
    let environment = [("MEMGATE_DATA_DIR", data)].into_iter().collect();
    let config = data.with_file_name("memgate.toml");
    std::fs::write(&config, "").unwrap();
    let arguments = ["memgate", "--config", config.to_str().unwrap()]
        .into_iter()
        .chain(arguments.iter().copied())
        .map(OsString::from);
    Ended { code: main(arguments, environment, &printer), out, err }
}

fn data() -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    (directory, data)
}

#[test]
fn the_tree_of_commands_is_sound() {
    use clap::CommandFactory as _;
    Cli::command().debug_assert();
}

#[test]
fn help_texts() {
    use clap::CommandFactory as _;
    // A width of its own: the terminal of whoever runs the test shall not matter.
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut text = String::new();
    let mut all = vec![command];
    while let Some(mut command) = all.pop() {
        if !command.is_hide_set() {
            let help = command.render_help();
            let name = command.get_bin_name().unwrap_or("memgate");
            let _ = write!(text, "$ {name} --help\n{help}\n\n");
        }
        let mut below: Vec<_> = command.get_subcommands().cloned().collect();
        below.reverse();
        all.extend(below);
    }
    insta::assert_snapshot!(text.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[test]
fn wrong_use_is_2_and_help_is_0() {
    let (_directory, data) = data();
    assert!(memgate(&data, &["frobnicate"]).failed(2).contains("frobnicate"));
    assert!(memgate(&data, &["--help"]).ok().contains("Usage: memgate"));
    assert!(memgate(&data, &["--version"]).ok().starts_with("memgate "));
    assert!(memgate(&data, &["key", "create", "--tenant", "A B"]).failed(2).contains("a-z"));
    assert!(memgate(&data, &["key", "revoke", "../x"]).failed(2).contains("key list"));
    let refused = memgate(&data, &["--set", "listen.prot=1", "config", "check"]).failed(2);
    assert!(refused.contains("did you mean `listen.port`?"), "{refused}");
}

#[test]
fn tenants_and_keys_without_a_server() {
    let (_directory, data) = data();
    assert!(memgate(&data, &["tenant", "create", "acme"]).ok().contains("made tenant `acme`"));
    assert!(memgate(&data, &["tenant", "create", "acme"]).failed(1).contains("already"));
    assert!(memgate(&data, &["tenant", "list"]).ok().contains("acme"));
    let refused = memgate(&data, &["key", "create", "--tenant", "globex"]).failed(1);
    assert!(refused.contains("memgate tenant create globex"), "{refused}");

    let key = memgate(&data, &["key", "create", "--tenant", "acme", "--name", "laptop"]).ok();
    let presented = crate::domain::key::PresentedKey::parse(key.trim_end()).expect("only a key");
    let listed = memgate(&data, &["key", "list"]).ok();
    assert!(listed.contains("laptop") && listed.contains("works"), "{listed}");
    let listed = memgate(&data, &["key", "list", "--json"]).ok();
    assert!(!listed.contains(presented.secret.expose()));
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["keys"][0]["id"], presented.id.as_str());

    memgate(&data, &["key", "revoke", presented.id.as_str()]).ok();
    assert!(memgate(&data, &["key", "list"]).ok().contains("revoked"));
    assert!(memgate(&data, &["key", "revoke", "000000000000"]).failed(1).contains("not found"));
}

#[test]
fn i5_a_key_that_goes_to_a_file_is_not_printed() {
    let (directory, data) = data();
    let file = directory.path().join("operator.key");
    let create = ["key", "create", "--role", "operator", "--out", file.to_str().unwrap()];
    let printed = memgate(&data, &create).ok();
    let key = std::fs::read_to_string(&file).unwrap();
    assert!(crate::domain::key::PresentedKey::parse(key.trim_end()).is_some());
    assert!(!printed.contains(key.trim_end()));
    assert!(memgate(&data, &create).failed(2).contains("exists already"));
    assert_eq!(memgate(&data, &["key", "list"]).ok().lines().count(), 2, "no key was made");
}

#[test]
fn sessions_need_a_server() {
    let (_directory, data) = data();
    assert!(memgate(&data, &["session", "list"]).failed(1).contains("no server runs"));
    assert!(!data.exists(), "asking makes nothing");
}

#[test]
fn completions_name_the_commands() {
    let (_directory, data) = data();
    for shell in ["bash", "zsh", "fish"] {
        assert!(memgate(&data, &["completions", shell]).ok().contains("tenant"), "{shell}");
    }
}
