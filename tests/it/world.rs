//! A running deployment and the people who use it.
//!
//! [`World::start`] runs the real program on a free port with a data directory of its own; the
//! personas are an anonymous caller, an agent of `acme`, an agent of `globex`, a second key of
//! `acme` and an operator. Dropping the world kills the process by its id and removes the
//! directory, so a test that fails leaves nothing behind.

pub(crate) mod authority;
mod caller;
mod mcp;
pub(crate) mod process;
pub(crate) mod wire;

use std::{net::SocketAddr, path::Path, sync::Arc};

use rustls::{ClientConfig, pki_types::CertificateDer};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use caller::{Caller, Stream};
pub(crate) use mcp::{Answer, LegacySession};
pub(crate) use process::{Ended, Process, free_port, wait_until};

/// Keys in the environment: known before the start, so they need no answer of the server.
const ACME: &str = "Zk3vQ9tYw2Lm7Pd4Rc8Xb6Hn1Js5";
const GLOBEX: &str = "Fq7nT2wKx9Vb4Mz6Dh1Lc8Gp3Ry5";
const OPERATOR: &str = "Wd5hB8rNj3Qx1Tg7Ks9Yv4Pm2Zc6";

/// A data directory, the program that serves it, and its personas.
pub(crate) struct World {
    directory: TempDir,
    process: Process,
    env: Vec<(String, String)>,
    tls: Option<Arc<ClientConfig>>,
}

impl World {
    /// A server with default settings.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// A server with these settings besides.
    pub(crate) fn with(env: &[(&str, &str)]) -> Self {
        let keys = format!("acme:{ACME},globex:{GLOBEX}");
        let mut all = vec![("MCP_API_KEYS", keys.as_str()), ("MCP_ADMIN_KEY", OPERATOR)];
        all.extend_from_slice(env);
        Self::bare(&all)
    }

    /// A server with this `memgate.toml` and these settings besides.
    pub(crate) fn with_file(file: &str, env: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("memgate.toml"), file).unwrap();
        let keys = format!("acme:{ACME},globex:{GLOBEX}");
        let mut all = vec![("MCP_API_KEYS", keys.as_str()), ("MCP_ADMIN_KEY", OPERATOR)];
        all.extend_from_slice(env);
        Self::inside(directory, &all)
    }

    /// A server with these settings and nothing else: no key is given.
    pub(crate) fn bare(env: &[(&str, &str)]) -> Self {
        Self::inside(tempfile::tempdir().unwrap(), env)
    }

    fn inside(directory: TempDir, env: &[(&str, &str)]) -> Self {
        let env: Vec<_> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let process = Process::serve(&directory.path().join("data"), &env);
        Self { directory, process, env, tls: None }
    }

    /// A server that speaks TLS, in a directory with whatever the settings name, and its
    /// certificate. The personas show no certificate of their own.
    pub(crate) fn encrypted(
        directory: TempDir,
        file: &str,
        env: &[(&str, &str)],
    ) -> (Self, CertificateDer<'static>) {
        let root = directory.path();
        let certificate = write_server_pair(root);
        std::fs::write(root.join("memgate.toml"), file).unwrap();
        let keys = format!("acme:{ACME},globex:{GLOBEX}");
        let mut all = vec![
            ("MCP_API_KEYS", keys.as_str()),
            ("MCP_ADMIN_KEY", OPERATOR),
            (process::TLS_CERTIFICATE, "server.pem"),
            ("MEMGATE_LISTEN__TLS__PRIVATE_KEY", "server.key"),
        ];
        all.extend_from_slice(env);
        let tls = Some(authority::dialect(&certificate, None));
        (Self { tls, ..Self::inside(directory, &all) }, certificate)
    }

    /// The directory around the data directory, where the program runs.
    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    /// A server with default settings whose directory `part` is a file system of this size; `None`
    /// where this user may mount nothing.
    pub(crate) fn on_disk_of(size: &str, part: &str) -> Option<Self> {
        let keys = format!("acme:{ACME},globex:{GLOBEX}");
        let env = [("MCP_API_KEYS", keys.as_str()), ("MCP_ADMIN_KEY", OPERATOR)];
        let env: Vec<_> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let directory = tempfile::tempdir().unwrap();
        let process = Process::serve_on_disk_of(size, part, &directory.path().join("data"), &env)?;
        Some(Self { directory, process, env, tls: None })
    }

    /// Stops the program and starts it again on the same data directory.
    pub(crate) fn restart(&mut self) {
        self.process.kill();
        self.process = Process::serve(&self.data(), &self.env);
    }

    /// The data directory.
    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.directory.path().join("data")
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.process.address()
    }

    /// The process, for signals.
    pub(crate) fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Everything the program printed so far.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// Somebody without a key.
    pub(crate) fn anonymous(&self) -> Caller {
        let caller = Caller::new(self.address());
        self.tls.as_ref().map_or(caller.clone(), |tls| caller.over(tls))
    }

    /// Somebody with this key.
    pub(crate) fn bearer(&self, key: &str) -> Caller {
        self.anonymous().with("authorization", &format!("Bearer {key}"))
    }

    /// An agent of `acme`.
    pub(crate) fn acme(&self) -> Caller {
        self.bearer(ACME)
    }

    /// An agent of `globex`.
    pub(crate) fn globex(&self) -> Caller {
        self.bearer(GLOBEX)
    }

    /// An operator.
    pub(crate) fn operator(&self) -> Caller {
        self.bearer(OPERATOR)
    }

    /// A new key of `acme`, made by the operator.
    pub(crate) fn second_of_acme(&self) -> NewKey {
        self.new_key(&json!({"tenant": "acme", "name": "second"}))
    }

    /// A new key as the operator asks for it.
    pub(crate) fn new_key(&self, wish: &Value) -> NewKey {
        let answer = self.operator().post("/admin/keys", wish);
        assert_eq!(answer.status, 201, "{}", answer.body);
        let made = answer.json();
        let text = |name: &str| {
            made[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {made}")).to_owned()
        };
        NewKey { id: text("id"), caller: self.bearer(&text("secret")), secret: text("secret") }
    }

    /// Every secret that may appear in no output.
    pub(crate) fn secrets() -> [&'static str; 3] {
        [ACME, GLOBEX, OPERATOR]
    }

    /// Runs another `memgate` command on the same data directory.
    pub(crate) fn command(&self, arguments: &[&str]) -> Ended {
        self.command_with(arguments, "")
    }

    /// The same, with this on its standard input.
    pub(crate) fn command_with(&self, arguments: &[&str], input: &str) -> Ended {
        Process::command(&self.data(), &self.env, arguments, input)
    }
}

/// Writes a new certificate for the loopback address and its key, and returns the certificate.
pub(crate) fn write_server_pair(root: &Path) -> CertificateDer<'static> {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    std::fs::write(root.join("server.pem"), made.cert.pem()).unwrap();
    std::fs::write(root.join("server.key"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

/// A key that was just made.
pub(crate) struct NewKey {
    /// Its public id.
    pub(crate) id: String,
    /// Its holder.
    pub(crate) caller: Caller,
    /// The whole key.
    pub(crate) secret: String,
}
