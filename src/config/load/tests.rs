//! Precedence, provenance and secrets in files, on files and environments of the test's own.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;
use crate::domain::limits::Rate;

struct Place {
    directory: tempfile::TempDir,
    sources: Sources,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sources = Sources { directory: directory.path().to_owned(), ..Sources::default() };
        Self { directory, sources }
    }

    fn file(self, name: &str, text: &str, mode: u32) -> Self {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn environment(mut self, variables: &[(&str, &str)]) -> Self {
        self.sources.environment = variables.iter().copied().collect();
        self
    }

    fn flag(mut self, key: &str, value: &str) -> Self {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.sources.flags.push(Flag { name: "--set", key, value });
        self
    }

    fn load(&self) -> Loaded {
        load(&self.sources).unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn refused(&self) -> String {
        load(&self.sources).expect_err("refused").to_string()
    }
}

const KEY: &str = "k7Qd93jf8sLw02Xm";

#[test]
fn nothing_set_is_the_defaults() {
    let loaded = Place::new().load();
    assert_eq!(loaded.settings.listen.public.to_string(), "127.0.0.1:3000");
    assert_eq!(loaded.settings.limits.per_key, Rate::new(600, 60));
    assert_eq!(loaded.origin("listen.port"), Origin::Default);
}

#[test]
fn each_layer_beats_the_one_before_it() {
    let file = "[listen]\nport = 3001\nmax_headers = 17\n[http]\ncors = false\n";
    let place = Place::new().file("memgate.toml", file, 0o644);
    let loaded = place.load();
    assert_eq!(loaded.settings.listen.public.port(), 3001);
    assert_eq!(loaded.settings.listen.max_headers, 17);
    assert!(loaded.origin("listen.port").to_string().ends_with("memgate.toml line 2"));

    let place = place.environment(&[("PORT", "3002")]);
    assert_eq!(place.load().settings.listen.public.port(), 3002);
    assert_eq!(place.load().origin("listen.port").to_string(), "PORT");

    let place = place.environment(&[("PORT", "3002"), ("MEMGATE_LISTEN__PORT", "3003")]);
    assert_eq!(place.load().settings.listen.public.port(), 3003);

    let place = place.flag("listen.port", "3004");
    let loaded = place.load();
    assert_eq!(loaded.settings.listen.public.port(), 3004);
    assert_eq!(loaded.origin("listen.port"), Origin::Flag("--set"));
    assert!(!loaded.settings.http.cors, "the other layers still count");
}

#[test]
fn a_named_file_must_be_there_and_the_default_one_need_not() {
    let mut place = Place::new();
    place.load();
    place.sources.file = Some(place.path("other.toml"));
    assert!(place.refused().contains("other.toml cannot be read"));
    let mut place = place.file("other.toml", "[listen]\nport = 1234\n", 0o644);
    assert_eq!(place.load().settings.listen.public.port(), 1234);
    place.sources.file = None;
    let path = place.path("other.toml");
    let place = place.environment(&[("MEMGATE_CONFIG", path.to_str().unwrap())]);
    assert_eq!(place.load().settings.listen.public.port(), 1234);
}

#[test]
fn the_plain_names_mean_what_they_meant() {
    let settings = Place::new()
        .environment(&[
            ("SERVER_MODE", "streamable-http"),
            ("HOST", "localhost"),
            ("PORT", "8080"),
            ("MEMORYOS_DATA_DIR", "/srv/memory"),
            ("MCP_API_KEY", KEY),
            ("MCP_API_KEYS", "acme:p0Wnd8sJq2Lv7Bx4Z"),
            ("MCP_ADMIN_KEY", "z8Yb3kQm5Tn1Rv6Hs"),
            ("RATE_LIMIT_REQUESTS", "100"),
            ("RATE_LIMIT_WINDOW", "3600"),
            ("ENABLE_CORS", "False"),
            ("ALLOWED_ORIGINS", "https://a.example,https://b.example"),
            ("TRUSTED_HOSTS", "memory.example.com,*.example.org"),
            ("REQUIRE_HTTPS", "1"),
            ("LOG_LEVEL", "WARNING"),
            ("MCP_SERVER_NAME", "my memory"),
        ])
        .load()
        .settings;
    assert_eq!(settings.listen.public.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.storage.data_dir, PathBuf::from("/srv/memory"));
    let owners: Vec<_> = settings
        .auth
        .environment_keys
        .iter()
        .map(|k| (k.tenant.as_ref().map(|t| t.as_str().to_owned()), k.role.as_str()))
        .collect();
    let agent = |name: &str| (Some(name.to_owned()), "agent");
    assert_eq!(owners, [(None, "operator"), agent("default"), agent("acme")]);
    assert_eq!(settings.limits.per_key, Rate::new(100, 3600));
    assert!(!settings.http.cors && settings.http.require_https);
    assert_eq!(settings.http.allowed_origins, ["https://a.example", "https://b.example"]);
    assert_eq!(settings.http.trusted_hosts, ["memory.example.com", "*.example.org"]);
    assert_eq!(settings.mcp.server_name, "my memory");
}

#[test]
fn one_half_of_the_old_rate_limit_brings_the_old_default_of_the_other() {
    for (variables, rate) in [
        (vec![("RATE_LIMIT_REQUESTS", "50")], Rate::new(50, 3600)),
        (vec![("RATE_LIMIT_WINDOW", "60")], Rate::new(100, 60)),
        (vec![("RATE_LIMIT_WINDOW", "1h")], Rate::new(100, 3600)),
        (vec![("RATE_LIMIT_REQUESTS", "50"), ("MEMGATE_LIMITS__PER_KEY", "7/1s")], Rate::new(7, 1)),
    ] {
        let loaded = Place::new().environment(&variables).load();
        assert_eq!(loaded.settings.limits.per_key, rate, "{variables:?}");
    }
    for bad in ["0", "-1", "many", ""] {
        let refused = Place::new().environment(&[("RATE_LIMIT_REQUESTS", bad)]).refused();
        assert!(refused.starts_with("RATE_LIMIT_REQUESTS"), "{refused}");
    }
}

#[test]
fn a_secret_comes_from_its_own_file_without_the_line_end() {
    let place = Place::new().file("key", &format!("{KEY}\r\n"), 0o640);
    let path = place.path("key");
    for name in ["MCP_API_KEY_FILE", "MEMGATE_AUTH__API_KEY_FILE"] {
        let place = Place::new().environment(&[(name, path.to_str().unwrap())]);
        let loaded = place.load();
        let [key] = loaded.settings.auth.environment_keys.as_slice() else { panic!("one key") };
        assert_eq!(key.secret.expose(), KEY);
        assert_eq!(loaded.origin("auth.api_key").to_string(), name);
    }
    let toml = format!("[auth]\napi_key_file = \"{}\"\n", path.display());
    let place = Place::new().file("memgate.toml", &toml, 0o644);
    assert_eq!(place.load().settings.auth.environment_keys.len(), 1);
    let both = [("MCP_API_KEY", KEY), ("MCP_API_KEY_FILE", path.to_str().unwrap())];
    assert!(Place::new().environment(&both).refused().contains("are both set; keep one"));
}

#[test]
fn i3_a_key_in_a_readable_file_is_refused() {
    for mode in [0o644, 0o604, 0o602] {
        let place = Place::new().file("key", KEY, mode);
        let path = place.path("key");
        let refused = place.environment(&[("MCP_API_KEY_FILE", path.to_str().unwrap())]).refused();
        assert!(refused.contains("others may read"), "{refused}");
        let toml = format!("[auth]\napi_key = \"{KEY}\"\n");
        let refused = Place::new().file("memgate.toml", &toml, mode).refused();
        assert!(refused.contains("others may read") && !refused.contains(KEY), "{refused}");
    }
    let toml = format!("[auth]\napi_key = \"{KEY}\"\n");
    Place::new().file("memgate.toml", &toml, 0o600).load();
}

#[test]
fn i3_a_key_file_that_is_missing_or_empty_is_no_wish_for_no_key() {
    let missing = Place::new().environment(&[("MCP_API_KEY_FILE", "/no/such/file")]).refused();
    assert!(missing.contains("cannot be read"), "{missing}");
    let place = Place::new().file("key", "\n", 0o600);
    let path = place.path("key");
    let empty = place.environment(&[("MCP_API_KEY_FILE", path.to_str().unwrap())]).refused();
    assert!(empty.contains("is empty"), "{empty}");
    let directory = Place::new();
    let path = directory.path(".");
    let refused = directory.environment(&[("MCP_API_KEY_FILE", path.to_str().unwrap())]).refused();
    assert!(refused.contains("it is not a file"), "{refused}");
}

#[test]
fn a_file_that_is_too_large_is_refused_and_not_cut() {
    let place = Place::new().file("key", &KEY.repeat(5000), 0o600);
    let path = place.path("key");
    let refused = place.environment(&[("MCP_API_KEY_FILE", path.to_str().unwrap())]).refused();
    assert!(refused.contains("larger than 65536 bytes"), "{refused}");
    let refused = Place::new().file("memgate.toml", &"#\n".repeat(1 << 20), 0o600).refused();
    assert!(refused.contains("larger than 1048576 bytes"), "{refused}");
}

#[test]
fn a_pipe_for_a_file_is_refused_and_not_waited_for() {
    let place = Place::new();
    let path = place.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let refused = place.environment(&[("MCP_API_KEY_FILE", path.to_str().unwrap())]).refused();
    assert!(refused.contains("it is not a file"), "{refused}");
}

#[test]
fn i5_no_key_on_the_command_line() {
    let refused = Place::new().flag("auth.api_key", KEY).refused();
    assert!(refused.contains("_FILE") && !refused.contains(KEY), "{refused}");
}

#[test]
fn flags_name_the_nearest_setting() {
    let refused = Place::new().flag("listen.prot", "1").refused();
    assert!(refused.contains("did you mean `listen.port`?"), "{refused}");
}

#[test]
fn a_value_says_where_it_stands_and_what_to_write() {
    let place = Place::new().file("memgate.toml", "[listen]\nheader_timeout = 10\n", 0o644);
    let refused = place.refused();
    let wanted = "memgate.toml line 2: listen.header_timeout is `10`; write a number and a unit";
    assert!(refused.contains(wanted), "{refused}");
}

/// Every secret setting, by each of the ways in which a file can give it.
#[test]
fn every_secret_has_a_file_twin_and_a_credential() {
    let secrets: Vec<_> = setting::all().filter(|s| s.secret).collect();
    assert!(secrets.len() >= 3, "{}", secrets.len());
    for setting in secrets {
        let text = format!("acme:{KEY}");
        let place = Place::new().file("secret", &text, 0o600).file(setting.key, &text, 0o600);
        let path = place.path("secret").display().to_string();
        let directory = place.directory.path().display().to_string();
        let plain = super::super::env::PLAIN.iter().filter(|p| p.key == Some(setting.key));
        let names = plain.map(|p| p.name.to_owned()).chain([setting.environment_name()]);
        for name in names.map(|name| format!("{name}_FILE")) {
            let mut place = Place::new();
            place.sources.environment = [(name.clone(), path.clone())].into_iter().collect();
            let loaded = place.load();
            assert_eq!(loaded.origin(setting.key), Origin::Environment(name));
            assert_eq!(loaded.settings.auth.environment_keys.len(), 1, "{}", setting.key);
        }
        let (section, key) = setting.key.rsplit_once('.').unwrap();
        let toml = format!("[{section}]\n{key}_file = \"{path}\"\n");
        let loaded = Place::new().file("memgate.toml", &toml, 0o644).load();
        assert!(matches!(loaded.origin(setting.key), Origin::File { line: 2, .. }));
        let credentials = [("CREDENTIALS_DIRECTORY", directory.as_str())];
        let loaded = Place::new().environment(&credentials).load();
        assert_eq!(loaded.origin(setting.key), Origin::Credential(setting.key));
        assert_eq!(loaded.settings.auth.environment_keys.len(), 1, "{}", setting.key);
    }
}

#[test]
fn i3_a_credential_that_others_may_read_is_refused_and_a_variable_wins() {
    let place = Place::new().file("auth.api_key", KEY, 0o644);
    let directory = place.path("").display().to_string();
    let said = place.environment(&[("CREDENTIALS_DIRECTORY", &directory)]).refused();
    assert!(said.contains("credential auth.api_key") && said.contains("others"), "{said}");
    let place = Place::new().file("auth.api_key", KEY, 0o400);
    let directory = place.path("").display().to_string();
    let both = [("CREDENTIALS_DIRECTORY", directory.as_str()), ("MCP_API_KEY", "p0WnXd8sJq2Lv7Bx")];
    let loaded = place.environment(&both).load();
    assert_eq!(loaded.origin("auth.api_key"), Origin::Environment("MCP_API_KEY".to_owned()));
    assert_eq!(loaded.settings.auth.environment_keys.len(), 1);
}
