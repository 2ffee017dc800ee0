//! Text to typed settings: parse, don't validate.
//!
//! One section a file, each with its defaults, units and bounds as a table of
//! [`setting::Setting`]s. The rest of the crate sees only [`Settings`], finished and consistent:
//! [`load::load`] makes them, or says everything that is wrong at once.

pub mod advice;
pub mod audit;
pub mod auth;
pub mod certificates;
pub mod env;
mod file;
pub mod form;
pub mod http;
pub mod issuer;
pub mod key_text;
pub mod limits;
pub mod listen;
pub mod load;
pub mod mcp;
pub mod nearest;
pub mod policy;
pub mod posture;
pub mod problem;
pub mod safety;
pub mod setting;
pub mod storage;
pub mod telemetry;

/// Everything that can be set.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Sockets, deadlines, connection caps, TLS.
    pub listen: listen::Listen,
    /// Origins, hosts, HTTPS.
    pub http: http::Http,
    /// Keys from the environment, the verifier.
    pub auth: auth::Auth,
    /// Rates and counts.
    pub limits: limits::Limits,
    /// The data directory and the stores in it.
    pub storage: storage::Storage,
    /// The MCP endpoint.
    pub mcp: mcp::Mcp,
    /// Where policies come from.
    pub policy: policy::Policy,
    /// The record of decisions.
    pub audit: audit::Audit,
    /// Logs.
    pub telemetry: telemetry::Telemetry,
}
