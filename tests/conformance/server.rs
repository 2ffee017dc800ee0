//! The server that the official conformance suite talks to: memgate's real stack, from the
//! listener through every layer to the gateway, with the suite's own tools behind it.
//!
//! It starts on a free port with a data directory of its own, prints one line of JSON with its
//! address and a key, and stops when its standard input ends, so that it cannot outlive whoever
//! started it.

mod fixture;

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use memgate::{
    app::{App, Control},
    config::{Settings, auth::EnvironmentKey},
    domain::{
        key::Role,
        limits::Rate,
        random::{self, OsEntropy},
        secret::Secret,
        tenant::TenantLabel,
    },
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let directory =
        std::env::args_os().nth(1).map(PathBuf::from).ok_or("usage: conformance DIR")?;
    // The program does the same, first thing.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    tokio::runtime::Runtime::new()?.block_on(serve(directory))
}

async fn serve(directory: PathBuf) -> Result<(), Failure> {
    let key = random::token(&OsEntropy, 32);
    let control = Control::open(&settings(directory.clone(), &key)?)?;
    let handlers = fixture::Fixtures::new(random::token(&OsEntropy, 64))?;
    let app = App::open_with(settings(directory, &key)?, control, |_| handlers).await?;
    let address = app.address().ok_or("no public listener")?;
    let line = serde_json::json!({ "url": format!("http://{address}/mcp"), "key": key });
    writeln!(std::io::stdout(), "{line}")?;

    let asked = CancellationToken::new();
    let end = asked.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        end.cancel();
    });
    app.serve(asked, Arc::new(Notify::new())).await;
    Ok(())
}

fn settings(directory: PathBuf, key: &str) -> Result<Settings, Failure> {
    let mut settings = Settings::default();
    settings.listen.public = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    settings.storage.data_dir = directory;
    // The suite is many clients at once with one key.
    settings.limits.per_key = Rate::new(1_000_000, 60);
    settings.limits.per_address = Rate::new(1_000_000, 60);
    settings.limits.sessions_per_tenant = 1000;
    settings.auth.environment_keys.push(EnvironmentKey {
        tenant: Some(TenantLabel::parse("conformance")?),
        role: Role::Agent,
        secret: Secret::new(key.to_owned()),
    });
    Ok(settings)
}
