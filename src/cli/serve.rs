//! `memgate serve`, and `memgate` alone: refuse, or serve until told to stop.

use clap::Args;

use super::{config, failure::Failure, first_start, options::flag, output::Printer, posture};
use crate::{
    app::{App, Control},
    config::{
        Settings, advice,
        load::{Flag, Sources},
        posture::{Report, Severity},
        problem::{Problem, Problems},
    },
    domain::{Error, Kind},
    telemetry::logs,
};

/// Settings that have an option of their own; all the others have `--set`.
#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:\n  \
    memgate serve --port 8080\n  \
    memgate serve --host 0.0.0.0 --behind-proxy\n  \
    memgate serve --host 0.0.0.0 --tls-certificate server.pem --tls-key server.key")]
pub struct Arguments {
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Port to listen on; 0 takes a free one [default: 3000]
    #[arg(long)]
    port: Option<String>,
    /// A proxy in front ends TLS
    #[arg(long)]
    behind_proxy: bool,
    /// PEM file: the certificate, then its chain
    #[arg(long, value_name = "FILE")]
    tls_certificate: Option<String>,
    /// PEM file: the private key
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// Ask for no key; on loopback only
    #[arg(long)]
    disable_auth: bool,
    /// A level, or directives like `info,memgate::http=debug` [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// `text` or `json` [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl Arguments {
    /// The settings among them.
    pub(in crate::cli) fn flags(self) -> impl Iterator<Item = Flag> {
        let yes = |is: bool| is.then(|| "true".to_owned());
        [
            ("--host", "listen.host", self.host),
            ("--port", "listen.port", self.port),
            ("--behind-proxy", "listen.behind_proxy", yes(self.behind_proxy)),
            ("--tls-certificate", "listen.tls.certificate", self.tls_certificate),
            ("--tls-key", "listen.tls.private_key", self.tls_key),
            ("--disable-auth", "auth.disabled", yes(self.disable_auth)),
            ("--log-level", "telemetry.log_level", self.log_level),
            ("--log-format", "telemetry.log_format", self.log_format),
        ]
        .into_iter()
        .filter_map(|(name, key, value)| Some(flag(name, key, value?)))
    }
}

/// Serves until it is told to stop.
pub(in crate::cli) fn run(sources: &Sources, printer: &Printer) -> Result<(), Failure> {
    let (loaded, problems) = config::problems(sources);
    Problems::check(problems)?;
    logs::init(&loaded.settings.telemetry)?;
    for advice in advice::advise(&loaded) {
        tracing::warn!("{advice}");
    }
    let settled = posture::settled(&loaded);
    let settings = loaded.settings;
    let control = Control::open(&settings).map_err(refused)?;
    let bootstrap = control.data.paths().bootstrap_dir();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Error::internal)?;
    runtime.block_on(async {
        let url = |app: &App| url(&settings, app);
        let app = App::open(settings.clone(), control).await?;
        // After the listeners are bound: a start that fails makes no keys, so the next one does.
        let first = tokio::task::block_in_place(|| first_start::make(app.registry(), &bootstrap))?;
        let report = tokio::task::block_in_place(|| app.settle_posture(settled));
        say(&report);
        let url = url(&app);
        if let Some(first) = first {
            app.record_made(first.keys()).await?;
            first.print(&url, printer)?;
        }
        tracing::info!("MCP clients connect to {url}/mcp");
        app.run().await;
        Ok(())
    })
}

/// One line of the posture, at a level that fits the worst of it.
fn say(report: &Report) {
    let summary = report.summary();
    let how = "`memgate config check --posture` says what and how to mend it";
    if report.worst >= Severity::Warning {
        tracing::warn!("posture: {summary}; {how}");
    } else {
        tracing::info!("posture: {summary}; {how}");
    }
}

/// A data directory that cannot be used is a refusal to start, whatever the reason.
fn refused(error: Error) -> Failure {
    match error.kind() {
        Kind::Conflict => match Problems::check(vec![Problem::sentence(error.to_string())]) {
            Ok(()) => error.into(),
            Err(problems) => problems.into(),
        },
        _ => error.into(),
    }
}

/// Where a client on this machine finds the public listener.
fn url(settings: &Settings, app: &App) -> String {
    let scheme = if settings.listen.tls.is_some() { "https" } else { "http" };
    let mut address = app.address().unwrap_or(settings.listen.public);
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    format!("{scheme}://{address}")
}
