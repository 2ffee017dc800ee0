//! The only room that knows rmcp's server side.

pub mod endpoint;
pub mod preparse;
