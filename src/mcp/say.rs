//! What a call comes to, in the protocol's words: one table from [`Kind`] to a code that agents
//! can act on, and one to JSON-RPC errors.

use rmcp::model::{CallToolResult, ContentBlock, ErrorCode, ErrorData};
use serde_json::{Map, Value, json};

use crate::{
    domain::{Error, Kind, limits::Reached},
    limits::decision::whole_seconds,
    tools::Answer,
};

/// A tool's answer: text for models, structure for programs.
#[must_use]
pub fn answer(answer: Answer) -> CallToolResult {
    let mut result = CallToolResult::success(vec![ContentBlock::text(answer.text)]);
    result.structured_content = Some(answer.structured);
    result
}

/// A failed call: the model reads the code, why, and the id to quote to an operator.
#[must_use]
pub fn failure(error: &Error, request_id: &str) -> CallToolResult {
    let code = word(error.kind());
    let text = format!("{code}: {} (request {request_id})", error.public());
    let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
    let mut details = details(error, request_id);
    details.insert("code".to_owned(), code.into());
    details.insert("message".to_owned(), error.public().into());
    result.structured_content = Some(json!({ "error": details }));
    result
}

/// A failure of anything that is no tool: a JSON-RPC error. Codes of our own are the HTTP
/// status, outside the reserved range.
#[must_use]
pub fn error(error: &Error, request_id: &str) -> ErrorData {
    let code = match error.kind() {
        Kind::BadInput => ErrorCode::INVALID_PARAMS,
        // The library turns it into -32602 for the revision that wants that.
        Kind::NotFound => ErrorCode::RESOURCE_NOT_FOUND,
        Kind::Unauthenticated => ErrorCode(401),
        Kind::Forbidden | Kind::ScopeMissing(_) => ErrorCode(403),
        Kind::Conflict => ErrorCode(409),
        Kind::TooLarge => ErrorCode(413),
        Kind::LimitReached { .. } => ErrorCode(429),
        Kind::Overloaded { .. } | Kind::Unavailable => ErrorCode(503),
        Kind::Timeout => ErrorCode(504),
        Kind::Internal => ErrorCode::INTERNAL_ERROR,
    };
    let details = Value::Object(details(error, request_id));
    ErrorData::new(code, error.public().to_owned(), Some(details))
}

fn details(error: &Error, request_id: &str) -> Map<String, Value> {
    let mut details = Map::new();
    details.insert("request_id".to_owned(), request_id.into());
    if let Kind::LimitReached(Reached { retry_after, .. }) | Kind::Overloaded { retry_after } =
        error.kind()
    {
        details.insert("retry_after_seconds".to_owned(), whole_seconds(retry_after).into());
    }
    details
}

/// The code an agent reads.
fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::BadInput => "bad_input",
        Kind::Unauthenticated => "unauthenticated",
        Kind::Forbidden => "forbidden",
        Kind::ScopeMissing(_) => "insufficient_scope",
        Kind::NotFound => "not_found",
        Kind::Conflict => "conflict",
        Kind::TooLarge => "too_large",
        Kind::LimitReached { .. } => "limit_reached",
        Kind::Overloaded { .. } => "overloaded",
        Kind::Timeout => "timeout",
        Kind::Unavailable => "unavailable",
        Kind::Internal => "internal",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::limits::{Class, Limit, Rate};

    #[test]
    fn a_failure_says_what_why_and_when() {
        let limit = Limit::Rate(Class::ToolCalls, Rate::new(1, 60));
        let kind =
            Kind::LimitReached(Reached { limit, retry_after: Duration::from_millis(11_200) });
        let result = failure(&Error::new(kind, "slow down"), "r1");
        assert_eq!(result.is_error, Some(true));
        let value = serde_json::to_value(&result).unwrap();
        assert_eq!(value["content"][0]["text"], "limit_reached: slow down (request r1)");
        assert_eq!(value["structuredContent"]["error"]["retry_after_seconds"], 12);
    }

    #[test]
    fn i5_causes_stay_inside() {
        let secret = Error::internal("/data/secret");
        let tool = serde_json::to_string(&failure(&secret, "r1")).unwrap();
        let other = serde_json::to_string(&error(&secret, "r1")).unwrap();
        assert!(!tool.contains("secret") && !other.contains("secret"));
    }
}
