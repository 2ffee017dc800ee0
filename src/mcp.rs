//! The only room that knows rmcp's server side: from an HTTP request with its proofs to a tool.
//!
//! A request passes [`gateway`] (shape, era, session), the tenant's own [`services`], the
//! [`guard`] around its handler, and ends where a tool name becomes an action, a permit and a
//! call. The order of the modules below is that order.

pub mod endpoint;
pub mod preparse;

pub mod era;
pub mod gateway;
pub mod headers;
pub mod refusal;

pub mod guard;
pub mod live_body;
pub mod services;
pub mod visit;

pub use gateway::Gateway;
