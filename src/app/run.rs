//! Serving, and the end of it.
//!
//! The order of the end is the promise of the drain: unready first, so that a load balancer
//! turns away; then no new connection, open streams ended, requests under way finished or cut
//! at the deadline; then the tasks; then the stores, whose last writes are on disk before they
//! close; then the ledger's totals and the last audit record.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{App, housekeeping, signals};
use crate::{
    audit::Event,
    db::disk::Probe,
    http::{server::Drained, stack, tls},
};

impl App {
    /// Serves until SIGTERM or SIGINT.
    pub async fn run(self) -> Drained {
        let asked = CancellationToken::new();
        let reload = Arc::new(Notify::new());
        self.tasks.spawn(signals::listen(asked.clone(), Arc::clone(&reload)));
        self.serve(asked, reload).await
    }

    /// Serves until `asked` is cancelled. `reload` asks for new certificates and policies.
    pub async fn serve(self, asked: CancellationToken, reload: Arc<Notify>) -> Drained {
        let Self { state, stores, bound, stop, tasks, data } = self;
        let quiet = CancellationToken::new();
        let certificates_changed = Arc::new(Notify::new());
        if let Some(certificates) = state.certificates.clone() {
            let changed = Arc::clone(&certificates_changed);
            tasks.spawn(tls::watch(certificates, changed, quiet.clone()));
        }
        tasks.spawn(housekeeping::reload(
            Arc::clone(&state),
            reload,
            certificates_changed,
            quiet.clone(),
        ));
        if state.settings.policy.directory.is_some() {
            tasks.spawn(housekeeping::watch_policies(Arc::clone(&state), quiet.clone()));
        }
        tasks.spawn(housekeeping::tick(
            Arc::clone(&state),
            Arc::clone(&stores),
            Probe::of(data.paths()),
            quiet.clone(),
        ));
        housekeeping::record(
            &state,
            Event::Start,
            "serve",
            Ok(env!("CARGO_PKG_VERSION").to_owned()),
        );
        let readiness = Arc::clone(&state.readiness);
        readiness.serving();
        tasks.spawn({
            let (asked, stop) = (asked.clone(), stop.asked.clone());
            async move {
                asked.cancelled().await;
                tracing::info!("asked to stop: draining");
                readiness.draining();
                stop.cancel();
            }
        });
        let doors = Arc::clone(&state);
        let drained = bound.serve(move |door| stack::outer(&doors, door), stop, &tasks).await;
        // Serving ends by itself only when it was asked to; be sure that everybody knows.
        asked.cancel();
        quiet.cancel();
        stores.close_all().await;
        tasks.close();
        tasks.wait().await;
        if let Err(error) = state.registry.ledger.save() {
            tracing::error!(%error, "the session totals were not written");
        }
        // Whatever ran has said what it did; the last word is ours.
        let cut = format!("{} requests cut", drained.cut);
        housekeeping::record(&state, Event::Stop, "serve", Ok(cut));
        state.audit.close().await;
        tracing::info!(cut = drained.cut, "stopped");
        // The lock on the directory is the last to go.
        drop(data);
        drained
    }
}
