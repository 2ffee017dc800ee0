//! The whole gateway under load, beside a bare rmcp server in the same run.
//!
//! `cargo bench --bench gateway` prints a Markdown table. CPU seconds per 1,000 calls is the
//! figure to compare: it is read from the kernel's accounting of the server process and holds
//! on a noisy machine, where calls per second do not. `--quick` measures half a second a row.
#![expect(unreachable_pub, reason = "the modules of one program")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the real clock")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a benchmark that cannot run stops")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "indices of percentiles"
)]

mod bare;
mod load;
mod server;

use std::time::Duration;

use load::{Caller, Era, Target};
use server::Server;

const ECHO: (&str, &str) = ("echo", r#"{"message":"hello @N"}"#);
const STORE: (&str, &str) = (
    "store_memory",
    r#"{"content":"Meeting @N about the quarterly plan, @W, and after lunch @W. Alice takes the notes on @W and Bob brings coffee.","tags":"work,plan"}"#,
);
/// `@W` becomes two words: a query of one word that one memory in fifty has, and a rarer one.
const RETRIEVE: (&str, &str) = ("retrieve_memories", r#"{"query":"@W","limit":10}"#);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|a| a == "--bare") {
        return bare::serve();
    }
    let quick = arguments.iter().any(|a| a == "--quick");
    let duration = Duration::from_millis(if quick { 500 } else { 4000 });

    println!("| server | call | at once | CPU s per 1,000 calls | calls/s | p50 ms | p99 ms |");
    println!("|---|---|--:|--:|--:|--:|--:|");
    let bare = Server::bare();
    let ours = Server::memgate();
    let at_rest = (bare.rss(), ours.rss());
    let started = (bare.started_in, ours.started_in);
    let mut ratios = Vec::new();
    for era in [Era::Stateless, Era::Session] {
        for at_once in [1, 16, 64] {
            let floor = row("bare rmcp", &bare, era, ECHO, "echo", at_once, duration);
            let cost = row("memgate", &ours, era, ECHO, "echo", at_once, duration);
            ratios.push((era, at_once, cost / floor));
        }
    }
    for at_once in [1, 16, 64] {
        row("memgate", &ours, Era::Stateless, STORE, "store", at_once, duration);
    }
    for (memories, label) in [(1_000, "retrieve of 1,000"), (100_000, "retrieve of 100,000")] {
        let fresh = Server::memgate();
        fill(&fresh, if quick { memories.min(5_000) } else { memories });
        for at_once in [1, 16, 64] {
            row("memgate", &fresh, Era::Stateless, RETRIEVE, label, at_once, duration);
        }
    }
    println!();
    for (era, at_once, ratio) in ratios {
        let era = if era == Era::Stateless { "2026-07-28, JSON" } else { "2025-11-25, session" };
        println!("CPU per call, memgate / bare rmcp, {era}, {at_once} at once: {ratio:.2}");
    }
    println!(
        "start to first answer: bare {:.0} ms, memgate {:.0} ms (with first start)",
        started.0.as_secs_f64() * 1e3,
        started.1.as_secs_f64() * 1e3
    );
    println!("memory at rest: bare {:.1} MiB, memgate {:.1} MiB", at_rest.0, at_rest.1);
    idle_sessions(if quick { 100 } else { 1_000 });
}

/// Measures one row, prints it, and returns CPU seconds per 1,000 calls.
fn row(
    name: &str,
    server: &Server,
    era: Era,
    (tool, arguments): (&'static str, &'static str),
    label: &str,
    at_once: usize,
    duration: Duration,
) -> f64 {
    let target = Target { port: server.port, key: server.key.clone(), era, tool, arguments };
    load::run(&target, at_once, Duration::from_millis(300));
    let before = server.cpu();
    let run = load::run(&target, at_once, duration);
    let cpu = (server.cpu() - before) / run.calls as f64 * 1000.0;
    let mode = if era == Era::Stateless { "JSON" } else { "session" };
    println!(
        "| {name} | {label}, {mode} | {at_once} | {cpu:.4} | {:.0} | {:.2} | {:.2} |",
        run.calls as f64 / run.elapsed.as_secs_f64(),
        run.percentile(0.5),
        run.percentile(0.99),
    );
    cpu
}

/// Stores `memories` memories through the front door.
fn fill(server: &Server, memories: usize) {
    let threads: Vec<_> = (0..32)
        .map(|_| {
            let target = Target {
                port: server.port,
                key: server.key.clone(),
                era: Era::Stateless,
                tool: STORE.0,
                arguments: STORE.1,
            };
            std::thread::spawn(move || {
                let mut caller = Caller::connect(&target);
                for _ in 0..memories.div_ceil(32) {
                    caller.call();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

fn idle_sessions(count: usize) {
    let server = Server::memgate();
    let target = Target {
        port: server.port,
        key: server.key.clone(),
        era: Era::Session,
        tool: ECHO.0,
        arguments: ECHO.1,
    };
    drop(Caller::connect(&target));
    let before = server.rss();
    for _ in 0..count {
        drop(Caller::connect(&target));
    }
    let grown = server.rss() - before;
    println!(
        "{count} idle sessions: {grown:.1} MiB more, {:.1} KiB each",
        grown * 1024.0 / count as f64
    );
}
