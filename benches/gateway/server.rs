//! A server under measurement: started as a process of its own, read through `/proc`.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    pub port: u16,
    pub key: Option<String>,
    /// From the start of the process to the first answer on `/healthz`.
    pub started_in: Duration,
    data: Option<PathBuf>,
}

impl Server {
    /// This very program again, as the bare server.
    pub fn bare() -> Self {
        let begun = Instant::now();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("--bare")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap();
        wait_for(port);
        Self { child, port, key: None, started_in: begun.elapsed(), data: None }
    }

    /// memgate with key, limits, policy and ledger on; only the numbers of the limits are raised
    /// so that the load is not refused.
    pub fn memgate() -> Self {
        let data = std::env::temp_dir().join(format!("memgate-bench-{}", std::process::id()));
        let _ = fs::remove_dir_all(&data);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let begun = Instant::now();
        let child = Command::new(env!("CARGO_BIN_EXE_memgate"))
            .env_clear()
            .env("PORT", port.to_string())
            .env("MEMGATE_STORAGE__DATA_DIR", &data)
            .env("MEMGATE_LIMITS__PER_ADDRESS", "100000000/60s")
            .env("MEMGATE_LIMITS__PER_KEY", "100000000/60s")
            .env("MEMGATE_LIMITS__SESSIONS_PER_TENANT", "4000")
            .env("MEMGATE_LIMITS__SESSIONS", "4000")
            .env("MEMGATE_LIMITS__CONCURRENCY_PER_TENANT", "256")
            .env("MEMGATE_MCP__PACKS", "memento,memoryos,demo")
            .env("LOG_LEVEL", "warn")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for(port);
        let started_in = begun.elapsed();
        let key = fs::read_to_string(data.join("bootstrap/agent.key")).unwrap();
        Self { child, port, key: Some(key.trim().to_owned()), started_in, data: Some(data) }
    }

    /// CPU seconds so far, user and system.
    pub fn cpu(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<_> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        ticks / 100.0
    }

    /// Resident memory in MiB.
    pub fn rss(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(data) = &self.data {
            let _ = fs::remove_dir_all(data);
        }
    }
}

fn wait_for(port: u16) {
    use std::io::{Read, Write};
    let begun = Instant::now();
    loop {
        if let Ok(mut socket) = TcpStream::connect(("127.0.0.1", port)) {
            let _ = write!(
                socket,
                "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
            );
            let mut answer = String::new();
            if socket.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200") {
                return;
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "the server does not answer");
        std::thread::sleep(Duration::from_millis(1));
    }
}
