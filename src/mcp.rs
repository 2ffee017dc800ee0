//! The only room that knows rmcp's server side: from an HTTP request with its proofs to a tool.
//!
//! A request passes [`gateway`] (shape, era, session), the tenant's own [`services`], the
//! [`guard`] around its [`handler`], and ends in [`dispatch`], where a tool name becomes an
//! action, a permit and a call. What can be refused early is refused early.

pub mod endpoint;
pub mod gateway;

pub mod direct;
pub mod era;
pub mod headers;
pub mod live_body;
pub mod methods;
pub mod preparse;
pub mod refusal;

pub mod guard;
pub mod services;
pub mod under_way;
pub mod visit;

pub mod cursor;
pub mod dispatch;
pub mod handler;
pub mod listing;
pub mod say;

#[cfg(test)]
mod testing;

pub use gateway::Gateway;
