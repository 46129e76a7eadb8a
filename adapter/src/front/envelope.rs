//! A first, strict look at the message: is it one JSON-RPC request or notification that every reader reads alike?

use std::collections::HashSet;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use service::traces::TraceContext;

use crate::error::Refusal;

/// Where a message says which protocol version it is written in (MCP 2026-07-28, basic).
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
/// Longest method or tool name that goes into a log line.
const NAME_BYTES: usize = 64;
/// What a repeated key is reported as, to tell it from broken JSON.
const REPEATED: &str = "repeated key";

/// What the front needs to know of a message.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    /// The request's id, repeated in errors; none for notifications.
    pub(super) id: Option<Value>,
    /// The method.
    pub(super) method: Option<String>,
    /// The tool of a `tools/call`.
    pub(super) tool: Option<String>,
    /// Whether `_meta` names a protocol version.
    pub(super) has_version: bool,
    /// The trace that `_meta` says it is part of (SEP-414).
    pub(super) trace: Option<TraceContext>,
    /// What is wrong with it, when it is JSON but not a message this server takes.
    pub(super) fault: Option<&'static str>,
}

impl Envelope {
    /// Reads a body.
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let mut reader = serde_json::Deserializer::from_slice(body);
        let value = Strict.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
        let message = match value {
            Ok(Value::Object(message)) => message,
            Ok(Value::Array(_)) => return Err(Refusal::InvalidRequest("Batches are not supported.")),
            Ok(_) => return Err(Refusal::InvalidRequest("A JSON-RPC message is an object.")),
            // Two parsers could each see another value: a request must mean one thing.
            Err(error) if error.to_string().starts_with(REPEATED) => {
                return Err(Refusal::InvalidRequest("A JSON key is repeated."));
            }
            Err(_) => return Err(Refusal::ParseError),
        };
        let params = message.get("params");
        let meta = params.and_then(|params| params.get("_meta"));
        let name = |value: &Value| value.as_str().map(|text| text.chars().take(NAME_BYTES).collect());
        let method: Option<String> = message.get("method").and_then(name);
        let is_call = method.as_deref() == Some("tools/call");
        Ok(Self {
            id: message.get("id").filter(|id| is_id(id)).cloned(),
            fault: fault(&message),
            tool: params.and_then(|params| params.get("name")).filter(|_| is_call).and_then(name),
            has_version: meta.and_then(|meta| meta.get(VERSION_KEY)).is_some_and(Value::is_string),
            trace: meta.and_then(trace),
            method,
        })
    }
}

/// The keys are those of the W3C headers. (`baggage`, the third, is a stranger's words, and is not read.)
fn trace(meta: &Value) -> Option<TraceContext> {
    let text = |key: &str| meta.get(key).and_then(Value::as_str);
    TraceContext::parse(text("traceparent")?, text("tracestate").unwrap_or_default())
}

/// JSON-RPC 2.0 section 4, narrowed by MCP: ids are strings or integers and never null.
fn fault(message: &Map<String, Value>) -> Option<&'static str> {
    if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Some("jsonrpc must be \"2.0\".");
    }
    if !message.get("method").is_some_and(Value::is_string) {
        return Some("method must be a string; responses are not accepted here.");
    }
    if message.get("id").is_some_and(|id| !is_id(id)) {
        return Some("id must be a string or an integer.");
    }
    match message.get("params") {
        None | Some(Value::Object(_)) => None,
        Some(_) => Some("params must be an object."),
    }
}

fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_i64()
}

/// Builds a [`Value`] and refuses repeated keys at any depth. The reader itself bounds the depth.
#[derive(Clone, Copy)]
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        let mut seen = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom(REPEATED));
            }
            object.insert(key, entries.next_value_seed(self)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> &'static str {
        match Envelope::read(body.as_bytes()) {
            Err(refusal) => refusal.reason(),
            Ok(envelope) => envelope.fault.map_or("none", |_| "fault"),
        }
    }

    #[test]
    fn broken_json_is_told_from_a_wrong_message() {
        assert_eq!(refusal("{"), "parse_error");
        assert_eq!(refusal("{} {}"), "parse_error");
        assert_eq!(refusal("\u{feff}{}"), "parse_error");
        assert_eq!(refusal("[]"), "invalid_request");
        assert_eq!(refusal("7"), "invalid_request");
        assert_eq!(refusal(&"[".repeat(1000)), "parse_error");
    }

    #[test]
    fn a_repeated_key_is_refused_at_any_depth() {
        assert_eq!(refusal(r#"{"method":"a","method":"b"}"#), "invalid_request");
        assert_eq!(refusal(r#"{"params":{"a":[{"x":1,"\u0078":2}]}}"#), "invalid_request");
    }

    #[test]
    fn the_trace_of_a_message_is_read_where_it_is_well_formed() {
        let trace = |meta: &str| {
            let body =
                format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"_meta":{meta}}}}}"#);
            Envelope::read(body.as_bytes()).unwrap().trace
        };
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read =
            trace(&format!(r#"{{"traceparent":"{parent}","tracestate":"a=b","baggage":"c=d"}}"#)).unwrap();
        assert_eq!(read.traceparent(), parent);
        for other in ["{}", "7", r#"{"traceparent":7}"#, r#"{"traceparent":"x"}"#, r#"{"tracestate":"a=b"}"#]
        {
            assert_eq!(trace(other), None, "{other}");
        }
    }

    #[test]
    fn ids_are_strings_or_integers() {
        for id in ["null", "1.5", "{}", "true"] {
            assert_eq!(
                refusal(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#)),
                "fault",
                "{id}"
            );
        }
        for id in ["1", "-1", r#""a""#] {
            assert_eq!(refusal(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#)), "none", "{id}");
        }
    }

    #[test]
    fn responses_and_array_params_are_refused() {
        assert_eq!(refusal(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), "fault");
        assert_eq!(refusal(r#"{"jsonrpc":"2.0","id":1,"method":"a","params":[]}"#), "fault");
        assert_eq!(refusal(r#"{"id":1,"method":"a"}"#), "fault");
    }
}
