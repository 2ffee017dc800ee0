//! What memgate says over MCP: tools, resources, prompts and completion of one caller.
//!
//! Written out by hand, because the library's macros would advertise every list as public and
//! know no caller. Each method takes the caller from this very request ([`Visit`]) and answers
//! for that caller alone; whatever reaches a memory goes through [`Dispatch`]. There is no
//! sampling, no roots and no logging to clients: memgate asks a client for nothing.

mod about;
mod map;

use std::{borrow::Cow, sync::Arc};

use futures::{FutureExt as _, future::BoxFuture};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult,
        CompletionInfo, CustomRequest, CustomResult, ErrorCode, GetPromptRequestParams,
        GetPromptResponse, GetPromptResult, JsonObject, ListPromptsResult,
        ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
        PromptMessage, ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse,
        ReadResourceResult, Reference, Role, ServerConfig,
    },
    service::RequestContext,
};
use serde_json::Value;

use super::{
    cursor::Cursors,
    direct::{Outcome, PlainCalls},
    dispatch::Dispatch,
    era,
    guard::{caught, outcome},
    listing::Listing,
    say,
    services::Handlers,
    visit::Visit,
};
use crate::{
    config::Settings,
    domain::{Error, Kind, action::Action, random::Entropy, tenant::Tenant},
    store::TenantStore,
    tools::{completion, prompts, resources},
};

type Context = RequestContext<RoleServer>;

/// The product's handlers.
#[derive(Debug, Clone)]
pub struct MemoryHandlers(MemoryHandler);

impl MemoryHandlers {
    /// Handlers that call through `dispatch`.
    #[must_use]
    pub fn new(dispatch: Dispatch, settings: &Settings, entropy: &dyn Entropy) -> Self {
        Self(MemoryHandler(Arc::new(Desk {
            listing: Listing::new(dispatch.catalogue()),
            cursors: Cursors::new(entropy),
            config: about::server(&settings.mcp.server_name),
            server_name: settings.mcp.server_name.clone(),
            max_memory_bytes: settings.storage.max_memory_bytes,
            dispatch,
        })))
    }
}

/// All tenants share one handler: it knows none of them, each request brings its own.
impl Handlers for MemoryHandlers {
    type Handler = MemoryHandler;

    fn for_tenant(&self, _: &Tenant) -> MemoryHandler {
        self.0.clone()
    }

    fn plain_calls(&self) -> Option<Arc<dyn PlainCalls>> {
        Some(Arc::clone(&self.0.0) as _)
    }
}

impl PlainCalls for Desk {
    fn call(
        self: Arc<Self>,
        visit: Arc<Visit>,
        name: String,
        arguments: JsonObject,
    ) -> BoxFuture<'static, Outcome> {
        let work = async move {
            let answer = caught(self.answer(&visit, &name, arguments)).await;
            answer
                .unwrap_or_else(|| Err(ErrorData::internal_error("internal error", None)))
                .inspect_err(|error| visit.fail_as(outcome(error)))
        };
        work.boxed()
    }
}

impl Desk {
    /// Calls a tool, for both ways to it.
    async fn answer(&self, visit: &Visit, name: &str, arguments: JsonObject) -> Outcome {
        match self.dispatch.call(visit, name, arguments).await {
            Some(Ok(answer)) => Ok(say::answer(answer)),
            Some(Err(error)) => Ok(say::failure(&error, &visit.known().request_id)),
            None => Err(refused(&Error::bad_input("no such tool"), visit)),
        }
    }
}

/// Answers one caller's messages.
#[derive(Debug, Clone)]
pub struct MemoryHandler(Arc<Desk>);

#[derive(Debug)]
struct Desk {
    dispatch: Dispatch,
    listing: Listing,
    cursors: Cursors,
    config: ServerConfig,
    server_name: String,
    max_memory_bytes: usize,
}

impl ServerHandler for MemoryHandler {
    fn get_info(&self) -> ServerConfig {
        self.0.config.clone()
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(&era::REVISIONS)
    }

    // `get_tool` stays the default: it is asked without a caller, and only to check argument
    // headers, which no tool of ours has (`no_tool_asks_for_argument_headers`).

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListToolsResult, ErrorData> {
        let visit = Visit::of(&context)?;
        only_page(request, &visit)?;
        let tools = self.0.listing.visible(&visit.known().principal);
        Ok(ListToolsResult::with_all_items(tools).with_cache_scope(CacheScope::Private))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Result<CallToolResponse, ErrorData> {
        let visit = Visit::of(&context)?;
        let arguments = request.arguments.unwrap_or_default();
        Ok(self.0.answer(&visit, &request.name, arguments).await?.into())
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        let visit = Visit::of(&context)?;
        let principal = &visit.known().principal;
        let offset = match request.and_then(|request| request.cursor) {
            None => Ok(0),
            Some(cursor) => self.0.cursors.open(principal, &cursor),
        };
        let page = match offset {
            Ok(offset) => {
                let list = |store: Arc<dyn TenantStore>| async move {
                    resources::list(&*store, offset).await
                };
                let what = "resources/list";
                self.0.dispatch.with_store(&visit, what, Action::MemoryRead, list).await
            }
            Err(error) => Err(error),
        };
        let page = page.map_err(|error| refused(&error, &visit))?;
        let items = page.resources.into_iter().map(map::resource).collect();
        let mut result =
            ListResourcesResult::with_all_items(items).with_cache_scope(CacheScope::Private);
        result.next_cursor = page.next_offset.map(|offset| self.0.cursors.seal(principal, offset));
        Ok(result)
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let visit = Visit::of(&context)?;
        only_page(request, &visit)?;
        let items = vec![map::template(&resources::MEMORY)];
        Ok(ListResourceTemplatesResult::with_all_items(items).with_cache_scope(CacheScope::Private))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let visit = Visit::of(&context)?;
        let body = self.read(&visit, &request.uri).await.map_err(|error| {
            let mut error = refused(&error, &visit);
            // SEP-2164: which of several reads it was that found nothing.
            if let Some(Value::Object(data)) = &mut error.data {
                data.insert("uri".to_owned(), request.uri.clone().into());
            }
            error
        })?;
        let contents = vec![map::body(body, request.uri)];
        Ok(ReadResourceResult::new(contents).with_cache_scope(CacheScope::Private).into())
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Result<ListPromptsResult, ErrorData> {
        let visit = Visit::of(&context)?;
        only_page(request, &visit)?;
        let seen = prompts::PROMPTS.iter().filter(|prompt| sees(&visit, prompt));
        let items = seen.map(map::prompt).collect();
        Ok(ListPromptsResult::with_all_items(items).with_cache_scope(CacheScope::Private))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        let visit = Visit::of(&context)?;
        let prompt = prompts::find(&request.name)
            .filter(|prompt| sees(&visit, prompt))
            .ok_or_else(|| refused(&Error::bad_input("no such prompt"), &visit))?;
        let text = prompt
            .say(request.arguments.unwrap_or_default())
            .map_err(|error| refused(&error, &visit))?;
        let message = PromptMessage::new_text(Role::User, text);
        Ok(GetPromptResult::new(vec![message]).with_description(prompt.description).into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: Context,
    ) -> Result<CompleteResult, ErrorData> {
        let visit = Visit::of(&context)?;
        let argument = &request.argument;
        let target = match &request.r#ref {
            Reference::Prompt(prompt) => {
                completion::Target::Prompt { name: &prompt.name, argument: &argument.name }
            }
            Reference::Resource(template) => completion::Target::Resource {
                uri_template: &template.uri,
                argument: &argument.name,
            },
            _ => return Err(refused(&Error::bad_input("no such reference"), &visit)),
        };
        let work = |store: Arc<dyn TenantStore>| async move {
            completion::complete(&*store, target, &argument.value).await
        };
        let what = "completion/complete";
        let done = self.0.dispatch.with_store(&visit, what, Action::MemoryRead, work).await;
        let mut values = done.map_err(|error| match error.kind() {
            Kind::NotFound => refused(&Error::bad_input(error.public().to_owned()), &visit),
            _ => refused(&error, &visit),
        })?;
        values.truncate(CompletionInfo::MAX_VALUES);
        let info = CompletionInfo::new(values)
            .map_err(|cause| refused(&Error::internal(cause), &visit))?;
        Ok(CompleteResult::new(info))
    }

    /// The library takes a known method with parameters that do not fit for a method of its own.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: Context,
    ) -> Result<CustomResult, ErrorData> {
        Visit::of(&context)?;
        Err(if about::METHODS.contains(&request.method.as_str()) {
            ErrorData::invalid_params("the parameters do not fit the method", None)
        } else {
            ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "no such method", None)
        })
    }
}

impl MemoryHandler {
    async fn read(&self, visit: &Visit, uri: &str) -> Result<resources::Body, Error> {
        let desk = &self.0;
        let principal = &visit.known().principal;
        if uri == resources::CAPABILITIES_URI
            && let Some(tenant) = principal.tenant()
        {
            return Ok(resources::capabilities(&resources::About {
                catalogue: desk.dispatch.catalogue(),
                packs: principal.packs(),
                may_act_as: !principal.act_as().is_empty(),
                bounds: principal.bounds(),
                tenant: &tenant.label,
                server_name: &desk.server_name,
                max_memory_bytes: desk.max_memory_bytes,
            }));
        }
        let id = resources::memory_id(uri)?;
        let work = |store: Arc<dyn TenantStore>| async move { resources::read(&*store, &id).await };
        desk.dispatch.with_store(visit, "resources/read", Action::MemoryRead, work).await
    }
}

/// A prompt speaks of a tool; for a key that does not see the tool it would lead nowhere.
fn sees(visit: &Visit, prompt: &prompts::Prompt) -> bool {
    let (principal, tool) = (&visit.known().principal, prompt.tool);
    principal.packs().contains(tool.pack()) && principal.bounds().permit(tool.action(), Some(tool))
}

/// Counted as a failure by the guard, as every error of a handler is.
fn refused(error: &Error, visit: &Visit) -> ErrorData {
    say::error(error, &visit.known().request_id)
}

/// Lists that fit on one page have no cursors, so any cursor is somebody's mistake.
fn only_page(request: Option<PaginatedRequestParams>, visit: &Visit) -> Result<(), ErrorData> {
    if request.is_some_and(|request| request.cursor.is_some()) {
        let error = Error::bad_input("no such cursor; start the list again without one");
        return Err(refused(&error, visit));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
