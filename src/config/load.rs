//! Four layers become one [`Settings`]: defaults < file < environment < flags.
//!
//! Every value remembers where it came from. Nothing is guessed: what cannot be read, is not
//! known, or would be unsafe ([`safety`]) is a [`Problem`], and all of them are
//! reported together. This is the only file of the room that opens files.

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::{
    Settings,
    env::Environment,
    file,
    form::{Raw, shown},
    issuer::table::Written,
    nearest,
    problem::{Problem, Problems},
    safety,
    setting::{self, Setting},
};

/// The file that is read when nobody names one.
pub const DEFAULT_FILE: &str = "memgate.toml";

/// The largest file of a secret.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// Where settings are looked for. Kept by the app, so that a reload reads the same places.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file, if one was named (`--config`); it must exist.
    pub file: Option<PathBuf>,
    /// Where [`DEFAULT_FILE`] is looked for otherwise; empty is the working directory.
    pub directory: PathBuf,
    /// The environment.
    pub environment: Environment,
    /// Values from the command line.
    pub flags: Vec<Flag>,
}

/// A value from the command line.
#[derive(Debug, Clone)]
pub struct Flag {
    /// What was written, `--port` or `--set`.
    pub name: &'static str,
    /// The key of the setting.
    pub key: String,
    /// The value as text.
    pub value: String,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Origin {
    /// Nobody set it.
    #[default]
    Default,
    /// The file.
    File {
        /// Its path.
        name: String,
        /// The line in it.
        line: usize,
    },
    /// A name in the environment.
    Environment(String),
    /// A credential that systemd handed over, by its name.
    Credential(&'static str),
    /// A flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line } => write!(f, "{name} line {line}"),
            Self::Environment(name) => f.write_str(name),
            Self::Credential(name) => write!(f, "credential {name}"),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// Finished settings, and where each of them came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    origins: BTreeMap<&'static str, Origin>,
    issuers: Vec<Written>,
}

impl Loaded {
    /// Where the value of this setting came from.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or_default()
    }

    /// The tables `[[auth.issuer]]`, with where they and their fields came from.
    #[must_use]
    pub fn issuers(&self) -> &[Written] {
        &self.issuers
    }
}

/// One value that one layer gives.
pub(in crate::config) struct Given {
    pub setting: &'static Setting,
    pub raw: Raw,
    pub origin: Origin,
    /// It was read from a file of its own.
    pub own_file: bool,
}

impl Given {
    /// A secret from its own file, without the line end that editors add.
    pub(in crate::config) fn from_file(
        setting: &'static Setting,
        path: &Path,
        origin: Origin,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let mut refuse = |sentence: String| {
            problems.push(Problem::new(origin.to_string(), sentence));
            None
        };
        let text = match small_file(path, MAX_SECRET_BYTES) {
            Ok(text) => Zeroizing::new(text),
            Err(error) => return refuse(format!("names a file that cannot be read: {error}")),
        };
        // SECURITY: test `i3_a_key_in_a_readable_file_is_refused`.
        if is_open_to_others(path) {
            return refuse("names a file that others may read; `chmod o=` it".to_owned());
        }
        let text = text.strip_suffix('\n').unwrap_or(text.as_str());
        let raw = Raw::Text(text.strip_suffix('\r').unwrap_or(text).to_owned());
        Some(Self { setting, raw, origin, own_file: true })
    }
}

/// Reads everything, in order, and checks that it is safe to serve with.
///
/// # Errors
/// All problems at once.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    let (loaded, problems) = survey(sources);
    Problems::check(problems).map(|()| loaded)
}

/// Reads as much as can be read, and says what is wrong with the rest: for commands that
/// explain. SECURITY: never serve with settings that came with problems.
#[must_use]
pub fn survey(sources: &Sources) -> (Loaded, Vec<Problem>) {
    let (loaded, mut problems) = collect(sources);
    problems.extend(safety::check(&loaded.settings));
    (loaded, problems)
}

/// Reads everything without asking whether it is safe to serve with: for commands that open no
/// listener.
///
/// # Errors
/// All problems at once.
pub fn read(sources: &Sources) -> Result<Loaded, Problems> {
    let (loaded, problems) = collect(sources);
    Problems::check(problems).map(|()| loaded)
}

fn collect(sources: &Sources) -> (Loaded, Vec<Problem>) {
    let mut problems = Vec::new();
    let named = sources.file.clone().or_else(|| sources.environment.config_file());
    let required = named.is_some();
    let path = named.unwrap_or_else(|| sources.directory.join(DEFAULT_FILE));
    let file::Found { mut given, issuers } = file::read(&path, required, &mut problems);
    given.extend(sources.environment.given(&mut problems));
    given.extend(sources.flags.iter().filter_map(|flag| from_flag(flag, &mut problems)));

    // The last layer that gives a setting wins; what it hides is not read at all.
    let strongest: BTreeMap<&str, Given> = given.into_iter().map(|g| (g.setting.key, g)).collect();
    let issuers: Vec<_> = issuers.into_iter().map(|given| given.read(&mut problems)).collect();
    let mut loaded = Loaded { settings: Settings::default(), origins: BTreeMap::new(), issuers };
    loaded.settings.auth.issuers = loaded.issuers.iter().map(|w| w.issuer.clone()).collect();
    for (key, given) in strongest {
        if let Err(sentence) = (given.setting.set)(&mut loaded.settings, &given.raw) {
            problems.push(Problem::new(place(&given), sentence));
        }
        loaded.origins.insert(key, given.origin);
    }
    (loaded, problems)
}

fn from_flag(flag: &Flag, problems: &mut Vec<Problem>) -> Option<Given> {
    let Some(setting) = setting::find(&flag.key) else {
        let known: Vec<String> = setting::all().map(|s| s.key.to_owned()).collect();
        let key = shown(&flag.key);
        let sentence = nearest::unknown(&flag.key, &known);
        problems.push(Problem::new(format!("{} {key}", flag.name), sentence));
        return None;
    };
    // SECURITY: everybody on the machine reads the arguments of a process (I5).
    if setting.secret {
        let sentence = format!(
            "would show a key to everybody who lists processes; name a file with `{}_FILE` in the \
             environment",
            setting.environment_name()
        );
        problems.push(Problem::new(format!("{} {}", flag.name, setting.key), sentence));
        return None;
    }
    let raw = Raw::Text(flag.value.clone());
    Some(Given { setting, raw, origin: Origin::Flag(flag.name), own_file: false })
}

/// Where a reader finds the value: the key, too, where the origin alone does not say it.
fn place(given: &Given) -> String {
    match &given.origin {
        Origin::Environment(name) => name.clone(),
        origin => format!("{origin}: {}", given.setting.key),
    }
}

/// The text of a file that must be small.
///
/// # Errors
/// It is not a file, cannot be read, or is larger.
pub fn small_file(path: &Path, max_bytes: u64) -> io::Result<String> {
    // Asked before it is opened: opening a pipe waits for whoever writes to it, maybe for ever.
    let state = std::fs::metadata(path)?;
    if !state.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    // With room for all of it: a text that grows leaves copies of itself behind, and it may be a
    // secret.
    let room = state.len().min(max_bytes).saturating_add(1);
    let mut text = String::with_capacity(usize::try_from(room).unwrap_or_default());
    let file = File::open(path)?;
    file.take(max_bytes + 1).read_to_string(&mut text)?;
    if text.len() as u64 > max_bytes {
        return Err(io::Error::other(format!("it is larger than {max_bytes} bytes")));
    }
    Ok(text)
}

/// Whether users other than its owner and group may read or change a file; a file that cannot
/// be looked at counts as open.
pub(in crate::config) fn is_open_to_others(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |m| m.permissions().mode() & 0o006 != 0)
}

#[cfg(test)]
mod tests;
