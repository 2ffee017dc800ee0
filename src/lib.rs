//! memgate: a locked front door for AI memory.
//!
//! The order of the modules is the order in which a request earns its rights. A *credential*
//! becomes a [`auth::Principal`]; a principal and an action become a [`policy::Permit`]; a
//! permit opens a tenant's store; a store answers a tool. Each stage consumes the proof that the
//! stage before it made, and no stage can make that proof itself.

pub mod domain;

pub mod config;

pub mod telemetry;

pub mod db;

pub mod registry;

pub mod limits;

pub mod auth;

pub mod policy;

pub mod audit;

pub mod store;

pub mod tools;

pub mod mcp;

pub mod http;

pub mod app;

pub mod cli;

pub mod manual;
