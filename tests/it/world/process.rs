//! The program as a child process: started on a free port, watched, killed by its id.

use std::{
    fs::{self, DirBuilder, File},
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::Caller;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_memgate");
/// For a debug build on a busy machine; passing it is a failure, not a delay.
const PATIENCE: Duration = Duration::from_mins(1);

/// With this in its environment a server speaks TLS.
pub(crate) const TLS_CERTIFICATE: &str = "MEMGATE_LISTEN__TLS__CERTIFICATE";

/// A server.
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

/// A command that ended.
pub(crate) struct Ended {
    /// Its exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it complained.
    pub(crate) stderr: String,
}

impl Process {
    /// Starts `memgate serve` and waits until it is ready.
    pub(crate) fn serve(data: &Path, env: &[(String, String)]) -> Self {
        let encrypted = env.iter().any(|(name, _)| name == TLS_CERTIFICATE);
        Self::start(data, encrypted, || program(data, env))
    }

    /// The same, with the directory `part` of the data on a file system of `size` of its own;
    /// `None` where this user may mount nothing. It goes with the process.
    pub(crate) fn serve_on_disk_of(
        size: &str,
        part: &str,
        data: &Path,
        env: &[(String, String)],
    ) -> Option<Self> {
        let mount = format!(r#"mount -t tmpfs -o size={size},mode=700 tmpfs "$0""#);
        let private = |script: &str| {
            let mut command = Command::new("/usr/bin/unshare");
            let part = data.join(part);
            command.args(["--mount", "/bin/sh", "-c", script]).arg(part).arg(PROGRAM);
            command
        };
        for directory in [data, &data.join(part)] {
            DirBuilder::new().mode(0o700).create(directory).unwrap();
        }
        if !private(&mount).status().is_ok_and(|status| status.success()) {
            return None;
        }
        let script = format!(r#"{mount} && exec "$1""#);
        Some(Self::start(data, false, || dressed(private(&script), data, env)))
    }

    fn start(data: &Path, encrypted: bool, make: impl Fn() -> Command) -> Self {
        // A port that was free a moment ago can be taken by another test's connection.
        for _ in 0..5 {
            let port = free_port();
            let log = data.with_extension(format!("{port}.log"));
            let output = File::create(&log).unwrap();
            let mut command = make();
            command.env("PORT", port.to_string());
            command.stdout(output.try_clone().unwrap()).stderr(output);
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let mut process = Self { child: command.spawn().unwrap(), address, log };
            if process.becomes_ready(encrypted) {
                return process;
            }
            assert!(process.log().contains("in use"), "did not start:\n{}", process.log());
        }
        panic!("no free port");
    }

    /// Runs a command to its end, with this on its standard input.
    pub(crate) fn command(
        data: &Path,
        env: &[(String, String)],
        arguments: &[&str],
        input: &str,
    ) -> Ended {
        let mut command = program(data, env);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        // A command that reads nothing may be gone already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// False when the process ended instead.
    fn becomes_ready(&mut self, encrypted: bool) -> bool {
        let ready = wait_until(|| {
            let ended = self.child.try_wait().unwrap().is_some();
            if encrypted {
                // Its port is bound when it says so, and no probe has a certificate to show.
                let said = self.log().contains("MCP clients connect to");
                return (ended || said).then_some(!ended);
            }
            let status = Caller::new(self.address).try_get("/readyz").map(|r| r.status);
            // Where plain HTTP is refused, a refusal is the answer of a server that is ready.
            let ready = status.is_some_and(|s| s != 503);
            (ended || ready).then_some(!ended)
        });
        ready.unwrap_or_else(|| panic!("not ready in {PATIENCE:?}:\n{}", self.log()))
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything it printed so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop, as a supervisor does.
    pub(crate) fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    /// Asks it to read its files again.
    pub(crate) fn hang_up(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        wait_until(|| self.child.try_wait().unwrap())
            .unwrap_or_else(|| panic!("still running after {PATIENCE:?}:\n{}", self.log()))
    }

    /// Ends it without warning.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself; then there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The program with a clean environment, so that nothing of the machine decides a test.
fn program(data: &Path, env: &[(String, String)]) -> Command {
    dressed(Command::new(PROGRAM), data, env)
}

fn dressed(mut command: Command, data: &Path, env: &[(String, String)]) -> Command {
    command.env_clear().env("MEMGATE_DATA_DIR", data).env("NO_COLOR", "1");
    command.envs(env.iter().map(|(k, v)| (k, v)));
    command.current_dir(data.parent().unwrap()).stdin(Stdio::null());
    command
}

/// A port of the loopback address that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Asks again until there is an answer, for at most [`PATIENCE`]. It waits for an event of
/// another process, which no clock of ours can bring about; the pause only spares the processor.
#[expect(clippy::disallowed_methods, reason = "the process under test has the machine's clock")]
pub(crate) fn wait_until<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        thread::park_timeout(Duration::from_millis(10));
    }
    None
}
