//! A fence around every handler: a panic and a standstill become errors.
//!
//! The protocol library runs a handler in a task of its own. A panic there is seen by nobody:
//! the caller waits until it gives up (measured), and no layer of the HTTP stack can help. So
//! each method runs inside [`protect`], and the answer to a panic is an internal error like any
//! other. The time limit is a backstop; a tool call has its own, shorter one with better words.

use std::{borrow::Cow, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt as _;
#[expect(deprecated, reason = "the sessions of 2025 still have it")]
use rmcp::model::SetLevelRequestParams;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CancelTaskParams, CancelledNotificationParam,
        CompleteRequestParams, CompleteResult, CustomNotification, CustomRequest, CustomResult,
        DiscoverResult, ErrorCode, GetPromptRequestParams, GetPromptResponse,
        GetSkillRequestParams, GetSkillResult, GetTaskParams, GetTaskResult,
        InitializeRequestParams, InitializeResult, ListPromptsResult, ListResourceTemplatesResult,
        ListResourcesResult, ListSkillsResult, ListToolsResult, PaginatedRequestParams,
        ProgressNotificationParam, ProtocolVersion, ReadResourceDirectoryRequestParams,
        ReadResourceDirectoryResult, ReadResourceRequestParams, ReadResourceResponse, ServerConfig,
        SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams,
        UpdateTaskParams,
    },
    service::{NotificationContext, RequestContext, SubscriptionContext},
};

use tokio_util::sync::CancellationToken;

use super::visit::Visit;
use crate::audit::Outcome;

/// A handler behind the fence.
#[derive(Debug)]
pub struct Guarded<H> {
    inner: H,
    timeout: Duration,
}

impl<H> Guarded<H> {
    /// `inner`, given `timeout` for each answer.
    pub fn new(inner: H, timeout: Duration) -> Self {
        Self { inner, timeout }
    }
}

/// Runs a handler's work to its end, to its panic or to `timeout`, and answers in each case. An
/// error, whoever made it, counts in the caller's session.
async fn protect<T>(
    timeout: Duration,
    visit: Option<Arc<Visit>>,
    work: impl Future<Output = Result<T, ErrorData>>,
) -> Result<T, ErrorData> {
    let over = visit.as_ref().map_or_else(CancellationToken::new, |visit| visit.over().clone());
    let work = over.run_until_cancelled(tokio::time::timeout(timeout, caught(work)));
    let result = match work.await {
        // Nobody reads this.
        None => Err(ErrorData::internal_error("the caller has gone", None)),
        Some(Ok(Some(result))) => result,
        Some(Ok(None)) => Err(ErrorData::internal_error("internal error", None)),
        Some(Err(_)) => {
            tracing::error!("a handler did not answer in time");
            Err(ErrorData::internal_error("no answer in time", None))
        }
    };
    if let (Err(error), Some(visit)) = (&result, visit) {
        visit.fail_as(outcome(error));
    }
    result
}

/// What an error that is no refusal of ours comes to: something broke, or the message was wrong.
pub(in crate::mcp) fn outcome(error: &ErrorData) -> Outcome {
    if error.code == ErrorCode::INTERNAL_ERROR { Outcome::Failed } else { Outcome::Refused }
}

/// `None` when it panicked. The handler is thrown away or holds no state that a panic could
/// leave half changed: stores write whole or not at all.
pub(in crate::mcp) async fn caught<T>(work: impl Future<Output = T>) -> Option<T> {
    let result = AssertUnwindSafe(work).catch_unwind().await;
    if result.is_err() {
        tracing::error!("a handler panicked");
    }
    result.ok()
}

macro_rules! fenced {
    ($($(#[$note:meta])* $method:ident($($params:ty)?) -> $answer:ty;)+) => {$(
        $(#[$note])*
        async fn $method(
            &self,
            $(request: $params,)?
            context: RequestContext<RoleServer>,
        ) -> Result<$answer, ErrorData> {
            let visit = Visit::of(&context).ok();
            let work = self.inner.$method($({ let request: $params = request; request },)? context);
            // Boxed: the library keeps room for the largest of these futures in every session.
            protect(self.timeout, visit, Box::pin(work)).await
        }
    )+};
}

macro_rules! fenced_notes {
    ($($method:ident($($params:ty)?);)+) => {$(
        async fn $method(&self, $(note: $params,)? context: NotificationContext<RoleServer>) {
            caught(self.inner.$method($({ let note: $params = note; note },)? context)).await;
        }
    )+};
}

impl<H: ServerHandler> ServerHandler for Guarded<H> {
    fenced! {
        ping() -> ();
        initialize(InitializeRequestParams) -> InitializeResult;
        discover() -> DiscoverResult;
        complete(CompleteRequestParams) -> CompleteResult;
        #[expect(deprecated, reason = "the sessions of 2025 still have it")]
        set_level(SetLevelRequestParams) -> ();
        get_prompt(GetPromptRequestParams) -> GetPromptResponse;
        list_prompts(Option<PaginatedRequestParams>) -> ListPromptsResult;
        list_resources(Option<PaginatedRequestParams>) -> ListResourcesResult;
        list_resource_templates(Option<PaginatedRequestParams>) -> ListResourceTemplatesResult;
        read_resource(ReadResourceRequestParams) -> ReadResourceResponse;
        #[expect(deprecated, reason = "the sessions of 2025 still have it")]
        subscribe(SubscribeRequestParams) -> ();
        #[expect(deprecated, reason = "the sessions of 2025 still have it")]
        unsubscribe(UnsubscribeRequestParams) -> ();
        call_tool(CallToolRequestParams) -> CallToolResponse;
        list_tools(Option<PaginatedRequestParams>) -> ListToolsResult;
        on_custom_request(CustomRequest) -> CustomResult;
        get_task(GetTaskParams) -> GetTaskResult;
        update_task(UpdateTaskParams) -> ();
        cancel_task(CancelTaskParams) -> ();
        list_skills(Option<PaginatedRequestParams>) -> ListSkillsResult;
        get_skill(GetSkillRequestParams) -> GetSkillResult;
        read_resource_directory(ReadResourceDirectoryRequestParams) -> ReadResourceDirectoryResult;
    }

    fenced_notes! {
        on_cancelled(CancelledNotificationParam);
        on_progress(ProgressNotificationParam);
        on_initialized();
        on_roots_list_changed();
        on_custom_notification(CustomNotification);
    }

    /// A subscription lives as long as its stream, so it has no time limit.
    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        caught(self.inner.listen(context))
            .await
            .unwrap_or_else(|| Err(ErrorData::internal_error("internal error", None)))
    }

    fn negotiate_initialize(
        &self,
        request: &InitializeRequestParams,
    ) -> Result<InitializeResult, ErrorData> {
        self.inner.negotiate_initialize(request)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.inner.supported_protocol_versions()
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        self.inner.accepted_subscription_filter(requested)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.inner.get_tool(name)
    }

    fn get_info(&self) -> ServerConfig {
        self.inner.get_info()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn a_standstill_and_a_panic_are_errors() {
        let stuck = protect::<()>(SOON, None, std::future::pending()).await;
        assert_eq!(stuck.unwrap_err().message, "no answer in time");
        let minute = Duration::from_mins(1);
        let broken = protect::<()>(minute, None, async { panic!("secret cause") }).await;
        assert_eq!(broken.unwrap_err().message, "internal error");
        assert_eq!(protect(minute, None, async { Ok(7) }).await.unwrap(), 7);
    }
}
