//! The load: threads with one keep-alive connection each, and the exact bytes of MCP requests.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The protocol's two ways to call a tool.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// 2026-07-28: every request stands alone; the answer is JSON.
    Stateless,
    /// 2025-11-25: a session, the answer is an event stream.
    Session,
}

/// Who is called, and with what.
#[derive(Clone)]
pub struct Target {
    pub port: u16,
    pub key: Option<String>,
    pub era: Era,
    pub tool: &'static str,
    /// Arguments as JSON; `@N` becomes a number that no other call has, each `@W` two words of a
    /// vocabulary in which some are common and most are rare.
    pub arguments: &'static str,
}

/// What one run measured.
pub struct Run {
    pub calls: u64,
    pub elapsed: Duration,
    /// Latencies in microseconds, sorted.
    pub latencies: Vec<u32>,
}

impl Run {
    pub fn percentile(&self, p: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get((last as f64 * p) as usize).map_or(0.0, |us| f64::from(*us) / 1000.0)
    }
}

/// One connection.
pub struct Caller {
    reader: BufReader<TcpStream>,
    target: Target,
    session: Option<String>,
}

static NUMBER: AtomicU64 = AtomicU64::new(1);

impl Caller {
    pub fn connect(target: &Target) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", target.port)).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut caller =
            Self { reader: BufReader::new(socket), target: target.clone(), session: None };
        if target.era == Era::Session {
            caller.open_session();
        }
        caller
    }

    fn open_session(&mut self) {
        let (head, _) = self.exchange(
            "",
            r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#,
        );
        let id = head
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("mcp-session-id: ").map(str::to_owned)
            })
            .unwrap_or_else(|| panic!("no session: {head}"));
        self.session = Some(id);
        self.exchange("", r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    }

    /// One `tools/call`; panics unless it was answered with a result that is no error.
    pub fn call(&mut self) -> usize {
        let n = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut arguments = self.target.arguments.replace("@N", &n.to_string());
        for turn in 0.. {
            let Some(at) = arguments.find("@W") else { break };
            arguments.replace_range(at..at + 2, &words(n, turn));
        }
        let tool = self.target.tool;
        let (headers, meta) = match self.target.era {
            Era::Stateless => (
                format!(
                    "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n"
                ),
                r#","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"}}"#,
            ),
            Era::Session => ("MCP-Protocol-Version: 2025-11-25\r\n".to_owned(), ""),
        };
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{n},"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}{meta}}}}}"#
        );
        let (head, answer) = self.exchange(&headers, &body);
        assert!(
            head.starts_with("HTTP/1.1 200")
                && answer.contains("\"result\"")
                && !answer.contains("\"isError\":true"),
            "{head}\n{answer}"
        );
        answer.len()
    }

    fn exchange(&mut self, headers: &str, body: &str) -> (String, String) {
        let key = self
            .target
            .key
            .as_ref()
            .map_or(String::new(), |k| format!("Authorization: Bearer {k}\r\n"));
        let session =
            self.session.as_ref().map_or(String::new(), |s| format!("Mcp-Session-Id: {s}\r\n"));
        let request = format!(
            "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n{key}{session}{headers}Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: {}\r\n\r\n{body}",
            self.target.port,
            body.len()
        );
        self.reader.get_mut().write_all(request.as_bytes()).unwrap();
        read_response(&mut self.reader)
    }
}

/// A word of fifty and a word of five thousand, the same for the same number and turn.
fn words(n: u64, turn: u64) -> String {
    let mix = (n * 7 + turn + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let name = |mut number: u64| {
        let mut word = String::from("w");
        for _ in 0..4 {
            word.push(char::from(b"aeioubdfgklmnprst"[(number % 17) as usize]));
            number /= 17;
        }
        word
    };
    format!("{} {}", name(mix % 50), name(100 + (mix / 50) % 5_000))
}

/// Reads one HTTP/1.1 response, with a length or in chunks.
fn read_response(reader: &mut BufReader<TcpStream>) -> (String, String) {
    let mut head = String::new();
    loop {
        let before = head.len();
        reader.read_line(&mut head).unwrap();
        if head.len() - before <= 2 {
            break;
        }
    }
    let lower = head.to_ascii_lowercase();
    let mut body = Vec::new();
    if let Some(length) = lower.split("content-length: ").nth(1) {
        body.resize(length.lines().next().unwrap().trim().parse().unwrap(), 0);
        reader.read_exact(&mut body).unwrap();
    } else if lower.contains("transfer-encoding: chunked") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).unwrap();
            let size = usize::from_str_radix(size.trim(), 16).unwrap();
            let start = body.len();
            body.resize(start + size + 2, 0);
            reader.read_exact(&mut body[start..]).unwrap();
            body.truncate(start + size);
            if size == 0 {
                break;
            }
        }
    }
    (head, String::from_utf8(body).unwrap())
}

/// `concurrency` callers for `duration`, after each has called once.
pub fn run(target: &Target, concurrency: usize, duration: Duration) -> Run {
    let stop = Arc::new(AtomicBool::new(false));
    let start = Instant::now();
    let threads: Vec<_> = (0..concurrency)
        .map(|_| {
            let (target, stop) = (target.clone(), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut caller = Caller::connect(&target);
                let mut latencies = Vec::with_capacity(1 << 16);
                while !stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    caller.call();
                    latencies.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
                latencies
            })
        })
        .collect();
    std::thread::sleep(duration);
    stop.store(true, Ordering::Relaxed);
    let mut latencies: Vec<u32> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
    let elapsed = start.elapsed();
    latencies.sort_unstable();
    Run { calls: latencies.len() as u64, elapsed, latencies }
}
