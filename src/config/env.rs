//! The environment: every name that memgate reads, in one list.
//!
//! Each setting has the name `MEMGATE_SECTION__KEY`; [`PLAIN`] lists the others, names that
//! users of MemoryOS and Memento know, with exactly the meaning they had there. Where both are
//! set, `MEMGATE_…` wins: a shell or an image may export `HOST` for reasons of its own. A name
//! that begins with `MEMGATE_` and is not known is an error; everything else is not ours.
//!
//! [`Environment::of_process`] is the only reader of the process's environment; tests fill one.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
};

use zeroize::Zeroize as _;

use super::{
    form::{Form, Raw, rate::Rates, shown, time},
    load::{Given, Origin},
    nearest,
    problem::Problem,
    setting::{self, Setting},
};
use crate::domain::limits::Rate;

/// How every name of ours begins.
pub const PREFIX: &str = "MEMGATE_";

/// The end of a name that holds the path of a secret's file.
const FILE: &str = "_FILE";

/// A name without our prefix, or one that does not follow the pattern.
#[derive(Debug, Clone, Copy)]
pub struct Plain {
    /// The name.
    pub name: &'static str,
    /// The setting it gives.
    pub key: Option<&'static str>,
    /// What it means, where that is more than "the setting".
    pub meaning: &'static str,
}

/// Where systemd puts the credentials of a service (`LoadCredential=`, `SetCredential=`).
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Every name that does not follow `MEMGATE_SECTION__KEY`.
pub const PLAIN: &[Plain] = &[
    Plain { name: "MEMGATE_CONFIG", key: None, meaning: "the file with the settings (`--config`)" },
    Plain {
        name: "MEMGATE_KEY",
        key: None,
        meaning: "not read: clients keep their key there, often in the shell that starts memgate",
    },
    Plain {
        name: CREDENTIALS,
        key: None,
        meaning: "set by systemd: a secret setting is read from the file of its name in there",
    },
    Plain { name: "MEMGATE_DATA_DIR", key: Some("storage.data_dir"), meaning: "" },
    Plain { name: "MEMORYOS_DATA_DIR", key: Some("storage.data_dir"), meaning: "" },
    Plain {
        name: "SERVER_MODE",
        key: None,
        meaning: "`streamable-http` (or `http`, the same); nothing else is served",
    },
    Plain { name: "HOST", key: Some("listen.host"), meaning: "" },
    Plain { name: "PORT", key: Some("listen.port"), meaning: "" },
    Plain { name: "MCP_API_KEY", key: Some("auth.api_key"), meaning: "" },
    Plain { name: "MCP_API_KEYS", key: Some("auth.api_keys"), meaning: "" },
    Plain { name: "MCP_ADMIN_KEY", key: Some("auth.admin_key"), meaning: "" },
    Plain {
        name: RATE_REQUESTS,
        key: Some("limits.per_key"),
        meaning: "requests in a window; 100 when only `RATE_LIMIT_WINDOW` is set",
    },
    Plain {
        name: RATE_WINDOW,
        key: Some("limits.per_key"),
        meaning: "the window in seconds; 3600 when only `RATE_LIMIT_REQUESTS` is set",
    },
    Plain { name: "ENABLE_CORS", key: Some("http.cors"), meaning: "" },
    Plain { name: "ALLOWED_ORIGINS", key: Some("http.allowed_origins"), meaning: "" },
    Plain {
        name: "CORS_CREDENTIALS",
        key: None,
        meaning: "only `false`: no answer ever allows cookies across origins",
    },
    Plain { name: "TRUSTED_HOSTS", key: Some("http.trusted_hosts"), meaning: "" },
    Plain { name: "REQUIRE_HTTPS", key: Some("http.require_https"), meaning: "" },
    Plain { name: "DISABLE_AUTH", key: Some("auth.disabled"), meaning: "" },
    Plain { name: "LOG_LEVEL", key: Some("telemetry.log_level"), meaning: "" },
    Plain { name: "MCP_SERVER_NAME", key: Some("mcp.server_name"), meaning: "" },
];

const RATE_REQUESTS: &str = "RATE_LIMIT_REQUESTS";
const RATE_WINDOW: &str = "RATE_LIMIT_WINDOW";

/// Variables and their values. `Debug` shows the names alone (I5).
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

/// Keys are among the values, so this copy of them is wiped; the one that the kernel handed to the
/// process stays, which is why a file is the better place for a key.
impl Drop for Environment {
    fn drop(&mut self) {
        for value in self.0.values_mut() {
            std::mem::take(value).into_vec().zeroize();
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<N: Into<String>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(n, v)| (n.into(), v.into())).collect())
    }
}

impl Environment {
    /// The variables of this process, as they are now.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .collect()
    }

    /// Where the settings file is, if the environment says so.
    #[must_use]
    pub fn config_file(&self) -> Option<PathBuf> {
        self.0.get("MEMGATE_CONFIG").map(PathBuf::from)
    }

    /// Every value that the environment gives, the weaker name of a setting first.
    pub(in crate::config) fn given(&self, problems: &mut Vec<Problem>) -> Vec<Given> {
        let mut given = Vec::new();
        given.extend(self.credentials(problems));
        self.mode(problems);
        self.cors_credentials(problems);
        given.extend(self.rate_limit(problems));
        for plain in PLAIN.iter().filter(|p| p.name != RATE_REQUESTS && p.name != RATE_WINDOW) {
            if let Some(setting) = plain.key.and_then(setting::find) {
                given.extend(self.one(setting, plain.name, problems));
            }
        }
        for setting in setting::all() {
            given.extend(self.one(setting, &setting.environment_name(), problems));
        }
        self.unknown(problems);
        given
    }

    /// The secrets that systemd hands over, `$CREDENTIALS_DIRECTORY/auth.api_key`. A variable of the
    /// same setting is nearer to whoever starts the program, and wins.
    fn credentials(&self, problems: &mut Vec<Problem>) -> Vec<Given> {
        let Some(directory) = self.0.get(CREDENTIALS).map(Path::new) else { return Vec::new() };
        let secrets = setting::all().filter(|setting| setting.secret);
        secrets
            .filter_map(|setting| {
                let path = directory.join(setting.key);
                let origin = Origin::Credential(setting.key);
                path.exists().then(|| Given::from_file(setting, &path, origin, problems))?
            })
            .collect()
    }

    fn one(
        &self,
        setting: &'static Setting,
        name: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<Given> {
        let origin = Origin::Environment(name.to_owned());
        let value = self.text(name, problems);
        let file = setting.secret.then(|| format!("{name}{FILE}"));
        let path = file.as_ref().and_then(|file| self.0.get(file)).map(Path::new);
        match (value, path, file) {
            (Some(_), Some(_), Some(file)) => {
                problems.push(Problem::new(name, format!("and {file} are both set; keep one")));
                None
            }
            (None, Some(path), Some(file)) => {
                Given::from_file(setting, path, Origin::Environment(file), problems)
            }
            (Some(value), ..) => {
                let raw = Raw::Text(value.to_owned());
                Some(Given { setting, raw, origin, own_file: false })
            }
            (None, ..) => None,
        }
    }

    fn text(&self, name: &str, problems: &mut Vec<Problem>) -> Option<&str> {
        let text = self.0.get(name)?.to_str();
        if text.is_none() {
            problems.push(Problem::new(name, "is not UTF-8 text; write it again"));
        }
        text
    }

    /// `RATE_LIMIT_REQUESTS` and `RATE_LIMIT_WINDOW` are two halves of one setting.
    fn rate_limit(&self, problems: &mut Vec<Problem>) -> Option<Given> {
        let (requests, window) =
            (self.text(RATE_REQUESTS, problems), self.text(RATE_WINDOW, problems));
        let name = match (requests, window) {
            (None, None) => return None,
            (Some(_), _) => RATE_REQUESTS,
            (None, Some(_)) => RATE_WINDOW,
        };
        let mut number = |name: &str, text: Option<&str>, default: u32| {
            let Some(text) = text else { return Some(default) };
            let number = text.trim().parse().ok().filter(|n| *n > 0);
            if number.is_none() {
                let sentence = format!("is `{}`; write a number of at least 1", shown(text));
                problems.push(Problem::new(name, sentence));
            }
            number
        };
        // Seconds as a number, as there; `1h` says the same and is welcome.
        let seconds = window.and_then(|w| time::parse(w.trim())).map(|w| w.as_secs().to_string());
        let requests = number(RATE_REQUESTS, requests, 100);
        let window = number(RATE_WINDOW, seconds.as_deref().or(window), 3600);
        let rate = Rate::new(requests?, window?.into());
        let setting = setting::find("limits.per_key")?;
        let origin = Origin::Environment(name.to_owned());
        Some(Given { setting, raw: Raw::Text(Rates::show(&rate)), origin, own_file: false })
    }

    fn mode(&self, problems: &mut Vec<Problem>) {
        let Some(mode) = self.text("SERVER_MODE", problems) else { return };
        if !["streamable-http", "http"].contains(&mode) {
            let sentence = format!(
                "is `{}`; this version serves `streamable-http` only, so leave it out",
                shown(mode)
            );
            problems.push(Problem::new("SERVER_MODE", sentence));
        }
    }

    /// SECURITY: a page of another origin must never make a browser send what it keeps for us.
    fn cors_credentials(&self, problems: &mut Vec<Problem>) {
        let Some(text) = self.text("CORS_CREDENTIALS", problems) else { return };
        if super::form::Flag::read(&Raw::Text(text.to_owned())) != Ok(false) {
            problems.push(Problem::new(
                "CORS_CREDENTIALS",
                "asks for cookies across origins, which memgate never allows; keys travel in \
                 headers, so leave it out",
            ));
        }
    }

    fn unknown(&self, problems: &mut Vec<Problem>) {
        let known = names();
        for (name, value) in &self.0 {
            if name.starts_with(PREFIX) && !known.contains(name) && !is_service_link(name, value) {
                problems.push(Problem::new(shown(name), nearest::unknown(name, &known)));
            }
        }
    }
}

/// Every name that is read, files of secrets included.
#[must_use]
pub fn names() -> Vec<String> {
    let secret = |plain: &Plain| plain.key.and_then(setting::find).is_some_and(|s| s.secret);
    let plain = PLAIN.iter().flat_map(|p| {
        let file = secret(p).then(|| format!("{}{FILE}", p.name));
        std::iter::once(p.name.to_owned()).chain(file)
    });
    let ours = setting::all().flat_map(|s| {
        let name = s.environment_name();
        let file = s.secret.then(|| format!("{name}{FILE}"));
        std::iter::once(name).chain(file)
    });
    plain.chain(ours).collect()
}

/// Kubernetes puts the addresses of every service into every pod. A service called `memgate`
/// gives `MEMGATE_SERVICE_HOST`, `MEMGATE_PORT_3000_TCP_ADDR` and others; they are not settings
/// and not typing errors.
fn is_service_link(name: &str, value: &std::ffi::OsStr) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || ["_TCP", "_UDP"].iter().any(|p| name.contains(p)) && name.contains("_PORT_")
        || name.ends_with("_PORT") && value.to_str().is_some_and(|v| v.contains("://"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn problems(variables: &[(&str, &str)]) -> Vec<String> {
        let mut problems = Vec::new();
        let environment: Environment = variables.iter().copied().collect();
        environment.given(&mut problems);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_name_is_there_once_and_every_plain_name_has_its_setting() {
        let names = names();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        for plain in PLAIN {
            assert!(plain.key.is_none_or(|k| setting::find(k).is_some()), "{}", plain.name);
            assert!(plain.key.is_some() || !plain.meaning.is_empty(), "{}", plain.name);
        }
    }

    #[test]
    fn i3_an_unknown_name_of_ours_names_the_nearest() {
        let found = problems(&[("MEMGATE_LISTEN__PROT", "1"), ("PATH", "/bin"), ("PRT", "1")]);
        let wanted = "MEMGATE_LISTEN__PROT is not a setting; did you mean `MEMGATE_LISTEN__PORT`?";
        assert_eq!(found, [wanted]);
    }

    #[test]
    fn service_links_of_kubernetes_are_not_ours() {
        let links = [
            ("MEMGATE_SERVICE_HOST", "10.0.0.7"),
            ("MEMGATE_SERVICE_PORT", "3000"),
            ("MEMGATE_SERVICE_PORT_HTTP", "3000"),
            ("MEMGATE_PORT", "tcp://10.0.0.7:3000"),
            ("MEMGATE_PORT_3000_TCP", "tcp://10.0.0.7:3000"),
            ("MEMGATE_PORT_3000_TCP_ADDR", "10.0.0.7"),
            ("MEMGATE_HEADLESS_SERVICE_HOST", "None"),
        ];
        assert_eq!(problems(&links), Vec::<String>::new());
        assert_eq!(problems(&[("MEMGATE_PORT", "3000")]).len(), 1);
    }

    #[test]
    fn the_key_of_a_client_in_the_same_shell_is_no_typing_error() {
        assert_eq!(problems(&[("MEMGATE_KEY", "mg_")]), Vec::<String>::new());
    }

    #[test]
    fn modes_that_are_not_served_and_cookies_are_refused() {
        assert!(problems(&[("SERVER_MODE", "streamable-http")]).is_empty());
        assert!(problems(&[("SERVER_MODE", "stdio")])[0].contains("leave it out"));
        assert!(problems(&[("CORS_CREDENTIALS", "false")]).is_empty());
        assert!(problems(&[("CORS_CREDENTIALS", "true")])[0].contains("cookies"));
    }

    #[test]
    fn i5_debug_shows_names_alone() {
        let environment: Environment = [("MCP_API_KEY", "k7Qd93jf8sLw02Xm")].into_iter().collect();
        assert_eq!(format!("{environment:?}"), r#"{"MCP_API_KEY"}"#);
    }
}
