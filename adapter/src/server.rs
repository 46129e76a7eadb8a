//! The MCP server: lists and calls the tools of one static table, for one proven caller.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use futures_util::FutureExt;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestMethod,
    CompleteRequestParams, CompleteResult, ContentBlock, Implementation, ListPromptsRequestMethod,
    ListPromptsResult, ListResourceTemplatesRequestMethod, ListResourceTemplatesResult,
    ListResourcesRequestMethod, ListResourcesResult, ListToolsResult, MetaObject, PaginatedRequestParams,
    ProtocolVersion, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use service::traces;
use tracing::Instrument;

use crate::caller::Caller;
use crate::metrics::Metrics;
use crate::plane::Plane;
use crate::policy::Policy;
use crate::tools::{self, Call, Failure, TOOLS};
use crate::trace::{self, Spans};

/// The protocol versions served, newest first. 2024-11-05 speaks another transport and is left out.
pub static VERSIONS: LazyLock<[ProtocolVersion; 4]> = LazyLock::new(|| {
    [
        ProtocolVersion::V_2026_07_28,
        ProtocolVersion::V_2025_11_25,
        ProtocolVersion::V_2025_06_18,
        ProtocolVersion::V_2025_03_26,
    ]
});

const INSTRUCTIONS: &str = "Read-only access to Plane, as the signed-in user. Work items are best named by their \
    identifier, such as ENG-42. A failed call says in recovery.hint what to do next.";
const WORKSPACES_FIRST: &str = " Start with list_workspaces when the workspace is unknown.";
/// Where results name the server (MCP 2026-07-28, basic).
const SERVER_INFO_KEY: &str = "io.modelcontextprotocol/serverInfo";
/// How long a client may keep the list of tools. Without sessions nobody can be told that it changed, so this is how
/// long a reload takes to be seen.
const LIST_FRESH_MS: u64 = 60_000;

/// The table as rmcp lists it, in the table's order.
static LISTED: LazyLock<Vec<(&tools::Entry, Tool)>> =
    LazyLock::new(|| TOOLS.iter().map(|entry| (entry, entry.listed())).collect());

/// What every session of one thread shares.
#[derive(Debug)]
pub struct Toolbox {
    plane: Plane,
    metrics: Metrics,
}

/// The server for one request of one caller. Cheap to make and to clone.
#[derive(Clone, Debug)]
pub struct Session {
    toolbox: Arc<Toolbox>,
    policy: Arc<Policy>,
    caller: Arc<Caller>,
    spans: Spans,
    panicked: Arc<AtomicBool>,
}

impl Toolbox {
    /// The tools over one Plane client.
    pub fn new(plane: Plane, metrics: Metrics) -> Self {
        Self { plane, metrics }
    }
}

impl Session {
    /// A session that can do only what `caller` may, within `policy`, inside the request's `spans`.
    pub fn new(toolbox: Arc<Toolbox>, policy: Arc<Policy>, caller: Arc<Caller>, spans: Spans) -> Self {
        Self { toolbox, policy, caller, spans, panicked: Arc::default() }
    }

    /// Set once a tool of this session, or of a clone of it, has panicked: whatever is answered then is void.
    pub fn panicked(&self) -> Arc<AtomicBool> {
        self.panicked.clone()
    }

    /// Whether a tool is there for this caller.
    fn offers(&self, entry: &tools::Entry) -> bool {
        self.policy.allows_tool(entry.name) && self.caller.granted.covers(entry.scope)
    }

    fn offers_name(&self, name: &str) -> bool {
        TOOLS.iter().any(|entry| entry.name == name && self.offers(entry))
    }

    async fn run(&self, entry: &'static tools::Entry, request: CallToolRequestParams) -> CallToolResult {
        let under_way = self.toolbox.metrics.tool_call(entry.name);
        let span = trace::tool(entry.name);
        let result = match self.arguments(entry, request) {
            Ok(arguments) => {
                let plane = &self.toolbox.plane;
                let call = Call { plane, caller: &self.caller, policy: &self.policy, arguments };
                call.run(entry.action).instrument(span.clone()).await
            }
            Err(failure) => Err(failure),
        };
        let outcome = result.as_ref().map_or_else(|failure| failure.code.as_str(), |_| "ok");
        under_way.ended(outcome);
        let result = match result {
            Ok(answer) => CallToolResult::success(vec![ContentBlock::text(answer)]),
            Err(failure) => {
                traces::failed(&span, outcome);
                tracing::info!(tool = entry.name, code = outcome, "tool call failed");
                CallToolResult::error(vec![ContentBlock::text(
                    failure.to_json(|tool| self.offers_name(tool)),
                )])
            }
        };
        result.with_meta(Some(server_meta()))
    }

    fn arguments(
        &self,
        entry: &'static tools::Entry,
        request: CallToolRequestParams,
    ) -> Result<tools::Arguments, Failure> {
        if self.caller.granted.covers(entry.scope) {
            tools::Arguments::parse(entry.parameters, request.arguments)
        } else {
            Err(Failure::scope_missing(entry.scope))
        }
    }
}

impl ServerHandler for Session {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(implementation())
            .with_instructions(if self.offers_name("list_workspaces") {
                format!("{INSTRUCTIONS}{WORKSPACES_FIRST}")
            } else {
                INSTRUCTIONS.to_owned()
            })
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(VERSIONS.as_slice())
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        if request.is_some_and(|page| page.cursor.is_some()) {
            return Err(ErrorData::invalid_params("the list has one page and gives no cursor", None));
        }
        // Private: what a caller may use can depend on the caller.
        let offered = LISTED.iter().filter(|(entry, _)| self.offers(entry)).map(|(_, tool)| tool.clone());
        let mut result = ListToolsResult::with_all_items(offered.collect())
            .with_ttl_ms(LIST_FRESH_MS)
            .with_cache_scope(CacheScope::Private);
        result.meta = Some(server_meta());
        Ok(result)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let known = LISTED.iter().find(|(entry, _)| entry.name == name && self.policy.allows_tool(name));
        known.map(|(_, tool)| tool.clone())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        // One that is not allowed is answered for as one that does not exist.
        let allowed =
            |entry: &&tools::Entry| entry.name == request.name && self.policy.allows_tool(entry.name);
        let Some(entry) = TOOLS.iter().find(allowed) else {
            return Err(ErrorData::invalid_params("there is no tool of this name", None));
        };
        // The library calls this in a task of its own, and waits for ever for the answer of one that panicked.
        let run = AssertUnwindSafe(self.spans.enclose(self.run(entry, request))).catch_unwind();
        tokio::select! {
            result = run => Ok(result.unwrap_or_else(|_| {
                self.panicked.store(true, Ordering::Release);
                CallToolResult::error(Vec::new())
            }).into()),
            // The client is gone; so is its request to Plane.
            () = context.ct.cancelled() => Err(ErrorData::internal_error("the request was cancelled", None)),
        }
    }

    // What is not declared does not exist; rmcp would answer empty lists.

    async fn complete(
        &self,
        _: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Err(ErrorData::method_not_found::<CompleteRequestMethod>())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListPromptsRequestMethod>())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListResourcesRequestMethod>())
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListResourceTemplatesRequestMethod>())
    }
}

fn implementation() -> Implementation {
    Implementation::new("plane-mcp-adapter", env!("CARGO_PKG_VERSION")).with_title("Plane")
}

fn server_meta() -> MetaObject {
    let info = serde_json::json!({"name": "plane-mcp-adapter", "version": env!("CARGO_PKG_VERSION"), "title": "Plane"});
    let mut meta = MetaObject::new();
    meta.0.insert(SERVER_INFO_KEY.to_owned(), info);
    meta
}
