//! The MCP server: the protocol's requests answered from the registry, for both eras from one handler.

mod asking;
mod calling;
mod ceiling;
mod changes;
mod completions;
pub mod instructions;
mod parameters;
pub mod prompts;
mod reports;
mod spans;
mod subscriptions;
mod tasks;
mod turns;
mod typing;

use std::sync::Arc;
use std::time::Duration;

use databricks::{Closing, without_tokens};
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CancelTaskParams, CompleteRequestParams, CompleteResult,
    CustomRequest, CustomResult, DiscoverResult, ErrorCode, ErrorData, GetPromptRequestParams, GetPromptResponse,
    GetTaskParams, GetTaskResult, Implementation, InitializeRequestParams, InitializeResult, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, MetaObject, PaginatedRequestParams,
    PromptsCapability, ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Resource,
    ResourceContents, ResourceTemplate, ServerCapabilities, ServerConfig, SubscribeRequestParams, SubscriptionFilter,
    TASKS_EXTENSION_ID, Tool as McpTool, ToolAnnotations, UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{RequestContext, RoleServer, SubscriptionContext};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::caller::Caller;
use crate::consent::Questions;
use crate::context::Context;
use crate::definition::Risk;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::nearest::shortened;
use crate::registry::{About, LiveRegistry, Registry, Tool};
use crate::resources;
use crate::seal::{Seal, SigningKeys};
use crate::server::ceiling::only_reading;
use crate::server::instructions::instructions;
use crate::server::reports::reporting;
use crate::server::spans::ended;
use crate::server::subscriptions::Subscriptions;
use crate::server::tasks::Tasks;
use crate::server::turns::Turns;
use crate::server::typing::Typing;
use crate::shape::CHARACTERS_PER_TOKEN;
use crate::surface::Digest;
use crate::traces::Traces;
use crate::watching::Pace;
use crate::workspaces::Workspaces;

pub(crate) use ceiling::Ceiling;
pub(crate) use subscriptions::Outlet;

/// Definitions change only with the binary or its flags: clients may keep them for an hour.
const DEFINITIONS_TTL_MS: u64 = 3_600_000;
/// What exists in a workspace changes at any time.
const LISTING_TTL_MS: u64 = 10_000;
/// How long the requests for a resource, or for a list of them, may take: less than common clients wait.
const RESOURCE_TIME: Duration = Duration::from_secs(25);
/// Bytes of a URI that an error repeats.
const MOST_TOLD: usize = 2_000;
/// The header that names a session over HTTP.
pub(crate) const SESSION: &str = "mcp-session-id";
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// The server; cheap to clone.
#[derive(Debug, Clone)]
pub struct Server {
    registry: Arc<LiveRegistry>,
    workspaces: Workspaces,
    turns: Turns,
    typing: Typing,
    /// Cancels every call.
    stop: CancellationToken,
    /// Cancelled when the client sends nothing more.
    input_ended: CancellationToken,
    /// The calls under way.
    under_way: TaskTracker,
    /// What is counted.
    metrics: Metrics,
    /// Where spans go.
    traces: Traces,
    /// Whether all clients see the same definitions.
    is_for_all: bool,
    /// The highest risk that whoever it serves may take.
    ceiling: Risk,
    /// The SHA-256 of what is exposed.
    digest: Option<Arc<Digest>>,
    /// The questions to a person that are open.
    questions: Questions,
    /// The tasks that calls become.
    tasks: Tasks,
    /// Who hears of which changes.
    subscriptions: Subscriptions,
}

impl Server {
    /// A server of the registry's tools for these workspaces, or for one.
    pub fn new(registry: impl Into<LiveRegistry>, workspaces: impl Into<Workspaces>) -> Self {
        // One caller, whom nobody else can be taken for.
        let seal = SigningKeys::random().ok().map(|keys| keys.of(""));
        Self {
            registry: Arc::new(registry.into()),
            workspaces: in_session(&workspaces.into()),
            turns: Turns::default(),
            typing: Typing::default(),
            stop: CancellationToken::new(),
            input_ended: CancellationToken::new(),
            under_way: TaskTracker::new(),
            metrics: Metrics::default(),
            traces: Traces::default(),
            is_for_all: true,
            ceiling: Risk::Destructive,
            digest: None,
            questions: Questions::default().of(seal.clone()),
            tasks: Tasks::new(seal),
            subscriptions: Subscriptions::new(Pace::default()),
        }
    }

    /// The same, for somebody who may take this risk at most.
    pub(crate) fn with_ceiling(self, ceiling: Risk) -> Self {
        Self { ceiling, ..self }
    }

    /// The tools and resources as they are now.
    pub(crate) fn registry(&self) -> Arc<Registry> {
        self.registry.current()
    }

    /// The workspaces that calls go to.
    pub(crate) fn all_workspaces(&self) -> &Workspaces {
        &self.workspaces
    }

    /// A server like this one for a caller: of this registry, with workspaces and a seal of its own, and with turns for so many
    /// calls.
    pub(crate) fn for_caller(&self, registry: Arc<Registry>, workspaces: Workspaces, calls: usize, seal: Seal) -> Self {
        Self {
            registry: Arc::new(registry.into()),
            workspaces,
            turns: Turns::of(calls),
            typing: Typing::default(),
            is_for_all: false,
            questions: self.questions.of(Some(seal.clone())),
            tasks: self.tasks.of(Some(seal)),
            subscriptions: self.subscriptions.apart(),
            ..self.clone()
        }
    }

    /// The same server for one session, in which toolsets can be enabled, and which can be stopped alone.
    pub(crate) fn for_session(&self) -> Self {
        Self {
            registry: Arc::new(self.registry.current().into()),
            workspaces: in_session(&self.workspaces),
            stop: self.stop.child_token(),
            subscriptions: self.subscriptions.for_session(),
            input_ended: CancellationToken::new(),
            ..self.clone()
        }
    }

    /// The same, which counts here.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// The same, whose spans go there.
    #[must_use]
    pub fn with_traces(self, traces: Traces) -> Self {
        Self { traces, ..self }
    }

    /// The calls under way, here and in all servers that are like this one.
    pub(crate) fn under_way(&self) -> &TaskTracker {
        &self.under_way
    }

    /// What is counted.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Counts a call that has ended, with the characters of its answer.
    fn count(&self, tool: &str, outcome: &'static str, took: Duration, characters: usize) {
        let name = self.registry.current().tool(tool).ok().map(|tool| tool.definition.name);
        self.metrics.called(name, outcome, took, characters / CHARACTERS_PER_TOKEN);
    }

    /// The same, which tells clients the digest of what it exposes.
    #[must_use]
    pub fn with_digest(self, digest: Arc<Digest>) -> Self {
        Self { digest: Some(digest), ..self }
    }

    /// Cancels every call, those to come too, as their client would.
    pub(crate) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// To be cancelled when the client sends nothing more: from then on, calls begin no change that has to wait.
    pub(crate) fn input_ended(&self) -> CancellationToken {
        self.input_ended.clone()
    }

    /// The workspaces of a call of this tool. Tools that only read may do so to the end.
    fn closing(&self, workspaces: Workspaces, tool: &str, closing: &Closing) -> Workspaces {
        match self.registry.current().tool(tool) {
            Ok(tool) if tool.risk != Risk::Read => {
                workspaces.each(|context| Context { client: context.client.with_closing(closing.clone()), ..context })
            }
            Ok(_) | Err(_) => workspaces,
        }
    }

    /// Whether what is listed may be shown to others who ask the same: not where it differs from caller to caller.
    fn definitions_scope(&self) -> CacheScope {
        if self.is_for_all { CacheScope::Public } else { CacheScope::Private }
    }

    /// How long clients may keep definitions.
    fn definitions_ttl(&self) -> u64 {
        if self.registry.can_grow() { 0 } else { DEFINITIONS_TTL_MS }
    }

    /// The workspaces of one request: calls to Databricks name the client on whose behalf they are made.
    fn workspaces(&self, request: &RequestContext<RoleServer>) -> Workspaces {
        // Outside of a session, a client says in each request who it is, or not at all; rmcp then puts itself in its place.
        let parts = request.extensions.get::<http::request::Parts>();
        let is_in_session = parts.is_none_or(|parts| parts.headers.contains_key(SESSION));
        let is_told = is_in_session || request.meta.protocol_version().is_some();
        let client = request.client_info().filter(|_| is_told);
        let workspaces = match client {
            Some(client) => self.workspaces.on_behalf_of(&client.name, &client.version),
            None => self.workspaces.clone(),
        };
        if self.ceiling(request) == Risk::Read { only_reading(workspaces) } else { workspaces }
    }
}

/// The workspaces as calls of one session see them.
fn in_session(workspaces: &Workspaces) -> Workspaces {
    let session: Arc<str> = uuid::Uuid::new_v4().to_string().into();
    workspaces.each(|context| {
        let caller = Caller { session: Some(Arc::clone(&session)), ..context.caller };
        Context { caller, ..context }
    })
}

/// A tool as `tools/list` shows it.
pub fn describe(tool: &Tool) -> McpTool {
    let definition = tool.definition;
    McpTool::new(definition.name, definition.description, tool.shown_schema.clone())
        .with_title(definition.title)
        .with_annotations(
            ToolAnnotations::new()
                .read_only(tool.risk == Risk::Read)
                .destructive(tool.risk == Risk::Destructive)
                .idempotent(tool.risk == Risk::Read || definition.idempotent)
                .open_world(definition.open_world),
        )
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources();
        let mut capabilities = match self.registry.can_grow() {
            true => capabilities.enable_tool_list_changed().enable_resources_list_changed().build(),
            false => capabilities.build(),
        };
        let registry = self.registry.current();
        let about = registry.about(|| About {
            instructions: instructions(&registry),
            has_prompts: registry.prompts().next().is_some(),
            has_completions: completions::are_offered(&registry),
            has_tasks: tasks::are_offered(&registry),
            has_subscriptions: subscriptions::are_offered(&registry),
        });
        if about.has_tasks || self.registry.can_grow() {
            let extensions = capabilities.extensions.get_or_insert_default();
            extensions.insert(TASKS_EXTENSION_ID.to_owned(), serde_json::Map::new());
        }
        if about.has_subscriptions || self.registry.can_grow() {
            capabilities.resources.get_or_insert_default().subscribe = Some(true);
        }
        if about.has_completions {
            capabilities.completions = Some(serde_json::Map::new());
        }
        if about.has_prompts {
            // The list never changes: what can be enabled counts from the beginning.
            capabilities.prompts = Some(PromptsCapability::default());
        }
        let mut config = ServerConfig::new(capabilities).with_instructions(about.instructions.clone());
        config.server_info = server_info();
        if let Some(digest) = self.digest.as_ref().and_then(|digest| digest.as_ref().as_ref()) {
            let text = format!("{}. What it exposes: sha256:{digest}", env!("CARGO_PKG_DESCRIPTION"));
            config.server_info = config.server_info.with_description(text);
        }
        config
    }

    /// Keeps the revision that was agreed on, not the one that was asked for: how later requests are understood
    /// depends on it.
    async fn initialize(
        &self,
        mut asked: InitializeRequestParams,
        request: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        // A request that is of the revision without a handshake cannot begin one.
        if request.meta.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28) {
            return Err(no_method("initialize"));
        }
        let mut result = self.negotiate_initialize(&asked)?;
        // The revisions with a handshake know no tasks, or others.
        if let Some(extensions) = &mut result.capabilities.extensions {
            extensions.remove(TASKS_EXTENSION_ID);
        }
        result.capabilities.extensions.take_if(|extensions| extensions.is_empty());
        if let Some(resources) = result.capabilities.resources.as_mut().filter(|_| !self.can_tell(&request)) {
            resources.subscribe = None;
        }
        asked.protocol_version = result.protocol_version.clone();
        request.peer.set_peer_info(asked);
        Ok(result)
    }

    async fn discover(&self, _request: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let versions = self.supported_protocol_versions().into_owned();
        let mut result = DiscoverResult::from_server_info(versions, self.get_info());
        result.ttl_ms = DEFINITIONS_TTL_MS;
        result.cache_scope = self.definitions_scope();
        Ok(result)
    }

    async fn list_tools(
        &self,
        page: Option<PaginatedRequestParams>,
        request: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        refuse_cursor(page)?;
        let mut result = ListToolsResult::with_all_items(self.registry.current().tools().map(describe).collect())
            .with_ttl_ms(self.definitions_ttl())
            .with_cache_scope(self.definitions_scope());
        result.meta = meta(&request);
        Ok(result)
    }

    fn get_tool(&self, name: &str) -> Option<McpTool> {
        self.registry.current().tool(name).ok().map(describe)
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        request: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.called(call, request).await
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        self.accepted(requested)
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        self.listened(&subscription).await
    }

    async fn subscribe(
        &self,
        asked: SubscribeRequestParams,
        request: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.subscribed(asked.uri, &request).await
    }

    async fn unsubscribe(
        &self,
        asked: UnsubscribeRequestParams,
        request: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.unsubscribed(&asked.uri, &request)
    }

    async fn get_task(
        &self,
        asked: GetTaskParams,
        request: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        self.task(&asked.task_id, &request).await
    }

    async fn update_task(&self, asked: UpdateTaskParams, request: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        self.updated_task(&asked.task_id, &request)
    }

    async fn cancel_task(&self, asked: CancelTaskParams, request: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        self.cancelled_task(&asked.task_id, &request).await
    }

    async fn list_prompts(
        &self,
        page: Option<PaginatedRequestParams>,
        request: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        self.listed_prompts(page, &request)
    }

    async fn get_prompt(
        &self,
        asked: GetPromptRequestParams,
        request: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        self.composed_prompt(asked, &request).await
    }

    async fn list_resources(
        &self,
        page: Option<PaginatedRequestParams>,
        request: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let cursor = page.and_then(|page| page.cursor);
        let (span, workspaces) = self.traced("resources/list", None, &request);
        let listed = reporting(&request, workspaces, async |workspaces| {
            let workspaces = workspaces.each(|context| context.within(RESOURCE_TIME));
            let _turn = self.turns.take().await?;
            Box::pin(resources::list(&self.registry.current(), &workspaces, cursor.as_deref())).await
        });
        let (listed, next) = ended(&span, listed.await).map_err(protocol_error)?;
        let resources = listed.into_iter().map(|listed| {
            Resource::new(listed.uri, listed.name).with_title(listed.title).with_mime_type(listed.mime_type)
        });
        let mut result = ListResourcesResult::with_all_items(resources.collect())
            .with_ttl_ms(LISTING_TTL_MS)
            .with_cache_scope(CacheScope::Private);
        result.next_cursor = next;
        result.meta = meta(&request);
        Ok(result)
    }

    async fn list_resource_templates(
        &self,
        page: Option<PaginatedRequestParams>,
        request: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        refuse_cursor(page)?;
        let registry = self.registry.current();
        let templates = registry.resources().iter().map(|resource| {
            let template = ResourceTemplate::new(registry.template(resource), resource.name)
                .with_title(resource.title)
                .with_description(resource.description);
            match resource.mime_type {
                Some(mime_type) => template.with_mime_type(mime_type),
                None => template,
            }
        });
        let mut result = ListResourceTemplatesResult::with_all_items(templates.collect())
            .with_ttl_ms(self.definitions_ttl())
            .with_cache_scope(self.definitions_scope());
        result.meta = meta(&request);
        Ok(result)
    }

    async fn read_resource(
        &self,
        read: ReadResourceRequestParams,
        request: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let (span, workspaces) = self.traced("resources/read", None, &request);
        let contents = reporting(&request, workspaces, async |workspaces| {
            let workspaces = workspaces.each(|context| context.within(RESOURCE_TIME));
            let _turn = self.turns.take().await?;
            Box::pin(resources::read(&self.registry.current(), &workspaces, &read.uri)).await
        });
        let contents = tokio::select! {
            contents = contents => ended(&span, contents).map_err(|error| {
                let is_not_found = error.is_not_found();
                let mut error = protocol_error(error);
                error.data = is_not_found.then(|| json!({ "uri": without_tokens(told(&read.uri)) }));
                error
            })?,
            () = request.ct.cancelled() => return Err(ErrorData::internal_error("the request was cancelled", None)),
        };
        let mut parts = vec![ResourceContents::text(contents.text, read.uri).with_mime_type(contents.mime_type)];
        parts.extend(contents.rest.map(|rest| {
            ResourceContents::text(rest.notice().to_string(), rest.uri).with_mime_type("application/json")
        }));
        let mut result = ReadResourceResult::new(parts);
        result.ttl_ms = Some(0);
        result.cache_scope = Some(CacheScope::Private);
        result.meta = meta(&request);
        Ok(result.into())
    }

    async fn complete(
        &self,
        asked: CompleteRequestParams,
        request: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        self.completed(asked, &request).await
    }

    /// A known method with parameters that do not parse arrives here, as rmcp takes it for an unknown one.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let is_there = match request.method.as_str() {
            "initialize" | "resources/subscribe" | "resources/unsubscribe" => !is_modern(&context),
            "subscriptions/listen" | "tasks/get" | "tasks/update" | "tasks/cancel" => is_modern(&context),
            _ => true,
        };
        if !is_there {
            return Err(no_method(&request.method));
        }
        if let Some(fault) = parameters::fault(&request.method, request.params.as_ref()) {
            return Err(ErrorData::invalid_params(without_tokens(&fault).into_owned(), None));
        }
        Err(no_method(&request.method))
    }
}

/// The revisions of the protocol that are spoken, the newest first.
pub(crate) fn versions() -> impl DoubleEndedIterator<Item = &'static str> {
    ProtocolVersion::KNOWN_VERSIONS.iter().rev().map(ProtocolVersion::as_str)
}

fn server_info() -> Implementation {
    Implementation::new("databricks-mcp-server", env!("CARGO_PKG_VERSION"))
        .with_title("Databricks")
        .with_description(env!("CARGO_PKG_DESCRIPTION"))
}

/// Whether a request is of the revision without a handshake, or of a later one.
fn is_modern(request: &RequestContext<RoleServer>) -> bool {
    request.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

/// Who answers: results of the revision without a handshake carry it.
fn meta(request: &RequestContext<RoleServer>) -> Option<MetaObject> {
    let Value::Object(object) = json!({ SERVER_INFO: server_info() }) else { return None };
    is_modern(request).then(|| MetaObject::from(object))
}

/// Lists of definitions are one page, so that no client misses the second.
fn refuse_cursor(page: Option<PaginatedRequestParams>) -> Result<(), ErrorData> {
    match page.and_then(|page| page.cursor) {
        Some(_) => Err(ErrorData::invalid_params("this list has one page and no cursor", None)),
        None => Ok(()),
    }
}

/// As much of a URI as an error repeats: a longer one is nobody's.
fn told(uri: &str) -> &str {
    uri.get(..uri.floor_char_boundary(MOST_TOLD)).unwrap_or(uri)
}

fn no_method(name: &str) -> ErrorData {
    let name = without_tokens(shortened(name));
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, format!("this server has no method `{name}`"), None)
}

fn protocol_error(error: Error) -> ErrorData {
    told_as(&error)
}

fn told_as(error: &Error) -> ErrorData {
    if error.is_not_found() {
        ErrorData::resource_not_found(error.to_string(), None)
    } else if error.is_protocol_error() || error.api().is_some_and(databricks::Error::is_bad_request) {
        ErrorData::invalid_params(error.to_string(), None)
    } else {
        ErrorData::internal_error(error.to_string(), None)
    }
}
