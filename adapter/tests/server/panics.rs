//! A defect of ours: a tool that panics is answered, told once, and costs nobody else anything.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, SystemTime};

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use service::{Clock, ManualClock};

use crate::canned::Plane;
use crate::client::{MODERN, Stack, call, json_of, text_of};
use crate::pool::NOW;

/// All that is logged in this process at the levels of the program's own filter, of all tests.
static LOG: LazyLock<Arc<Mutex<Vec<u8>>>> = LazyLock::new(|| {
    let log = Log(Arc::default());
    let (kept, writer) = (log.0.clone(), move || log.clone());
    let lines = tracing_subscriber::fmt().json().with_env_filter("info,rmcp=warn").with_writer(writer);
    lines.try_init().unwrap();
    kept
});

#[derive(Clone)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What was logged of a request.
fn told_of(request_id: &str) -> Vec<Value> {
    let log = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
    let lines = log.lines().filter(|line| line.contains(&format!("{request_id:?}")));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A clock that panics the next time a request looks at it.
#[derive(Debug)]
struct Tripwire {
    clock: ManualClock,
    is_set: AtomicBool,
}

impl Clock for Tripwire {
    fn now(&self) -> SystemTime {
        let serves = std::thread::current().name().is_some_and(|name| name.starts_with("serve-"));
        assert!(!(serves && self.is_set.swap(false, Ordering::SeqCst)), "as the test asked for");
        self.clock.now()
    }
}

async fn stack() -> (Stack, Arc<Tripwire>) {
    LazyLock::force(&LOG);
    let tripwire = Arc::new(Tripwire { clock: ManualClock::at(NOW), is_set: AtomicBool::new(false) });
    let stack = Stack::by_clock(Plane::of_alice(), tripwire.clock.clone(), tripwire.clone()).await;
    (stack, tripwire)
}

/// A call in the protocol of `version`, with a key: its check needs no clock, so that the first look at it is the tool's.
fn keyed(stack: &Stack, version: &str, request_id: &str) -> RequestBuilder {
    let mut body = call("list_projects", &json!({"workspace_slug": "acme"}));
    if version == MODERN {
        body["params"]["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        });
    }
    let request = stack.post(body).header("x-api-key", "plane_api_1").header("x-request-id", request_id);
    let request = request.header("mcp-protocol-version", version);
    request.header("mcp-method", "tools/call").header("mcp-name", "list_projects")
}

async fn told(stack: &Stack, line: &str) -> bool {
    let metrics = reqwest::get(format!("{}/metrics", stack.admin)).await.unwrap().text().await.unwrap();
    metrics.lines().any(|told| told == line)
}

#[tokio::test]
async fn a_tool_that_panics_is_answered_counted_and_told_once_and_the_next_call_goes_well() {
    for (version, request_id) in [("2025-11-25", "panics-once"), (MODERN, "panics-once-too")] {
        let (stack, tripwire) = stack().await;
        tripwire.is_set.store(true, Ordering::SeqCst);
        let asked = keyed(&stack, version, request_id).send();
        let answer = tokio::time::timeout(Duration::from_secs(20), asked).await.expect("there is an answer");
        let body = json_of(answer.unwrap(), 500).await;
        assert_eq!((&body["id"], &body["error"]["code"]), (&json!(1), &json!(-32603)), "{body}");
        assert_eq!(body["error"]["data"]["reason"], "panicked");
        assert!(!body.to_string().contains("as the test asked for"), "{body}");
        assert!(told(&stack, r#"adapter_requests_total{outcome="panicked"} 1"#).await);
        let of_tool = r#"adapter_tool_calls_total{outcome="panicked",tool="list_projects"} 1"#;
        assert!(told(&stack, of_tool).await);
        assert!(told(&stack, "adapter_requests_in_flight 0").await);

        let next = keyed(&stack, version, "goes-well").send().await.unwrap();
        let result = json_of(next, 200).await["result"].clone();
        assert_eq!(result["isError"], false, "{}", text_of(&result));
        assert!(told(&stack, r#"adapter_requests_total{outcome="ok"} 1"#).await);

        let lines = told_of(request_id);
        let at = |level: &str| lines.iter().filter(|line| line["level"] == level).collect::<Vec<_>>();
        assert_eq!((at("ERROR").len(), at("WARN").len()), (1, 0), "{lines:?}");
        let [request] = at("INFO")[..] else { panic!("one line a request: {lines:?}") };
        let fields = &request["fields"];
        assert_eq!((&fields["outcome"], &fields["http.status"]), (&json!("panicked"), &json!(500)));
        assert_eq!(fields["mcp.tool"], "list_projects");
    }
}
