use http::HeaderMap;

use super::*;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

fn tracing(sample_ratio: f64, trust_parent: bool) -> Tracing {
    Tracing { ratio: sample_ratio, trust_parent }
}

fn begin(tracing: Tracing, parent: &str, source: Source) -> Place {
    tracing.begin(Span::none(), Some((TraceContext::parse(parent, "").unwrap(), source)))
}

#[test]
fn a_valid_trace_context_is_read_and_written_as_it_was() {
    let came = headers(&[("traceparent", PARENT), ("tracestate", "rojo=1"), ("tracestate", "congo@x=t61 r")]);
    let context = TraceContext::of(&came).unwrap();
    let mut sent = headers(&[("traceparent", "old"), ("tracestate", "old"), ("tracestate", "older")]);
    context.set(&mut sent);
    assert_eq!(sent, headers(&[("traceparent", PARENT), ("tracestate", "rojo=1,congo@x=t61 r")]));
    assert_eq!(context.trace_id(), TRACE);
}

#[test]
fn a_malformed_or_repeated_traceparent_is_none() {
    let zero_trace = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
    let zero_span = "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01";
    let more = format!("{PARENT}-00");
    let (upper, short, none) =
        (PARENT.to_uppercase(), PARENT.strip_prefix("0").unwrap(), PARENT.replacen("00", "ff", 1));
    for bad in ["", "zz", zero_trace, zero_span, &more, &upper, short, &none, "00-+1-+2-01"] {
        assert_eq!(TraceContext::parse(bad, ""), None, "{bad}");
    }
    assert_eq!(TraceContext::of(&headers(&[("traceparent", PARENT), ("traceparent", PARENT)])), None);
    assert_eq!(TraceContext::of(&headers(&[("tracestate", "a=b")])), None);
}

#[test]
fn a_tracestate_as_long_as_a_body_is_dropped_before_its_entries_are_compared() {
    // Compared with each other, these take minutes.
    let long: String = (0..200_000).map(|n| format!("k{n}=1,")).collect();
    let context = TraceContext::parse(PARENT, &long).unwrap();
    let mut sent = HeaderMap::new();
    context.set(&mut sent);
    assert_eq!(sent, headers(&[("traceparent", PARENT)]));
    let many: String = (0..33).map(|n| format!("k{n}=1,")).collect();
    TraceContext::parse(PARENT, &many).unwrap().set(&mut sent);
    assert!(sent.get("tracestate").is_none(), "33 entries are one too many");
}

#[test]
fn a_later_version_is_read_as_far_as_it_is_known_and_written_in_ours() {
    let later = format!("{}-of-another-time", PARENT.replacen("00", "cc", 1));
    assert_eq!(TraceContext::parse(&later, "").unwrap().traceparent(), PARENT);
    let flags = PARENT.replace("b7-01", "b7-ff");
    assert_eq!(
        TraceContext::parse(&flags, "").unwrap().traceparent(),
        PARENT,
        "only the sampled flag is known"
    );
}

#[test]
fn a_tracestate_that_breaks_a_rule_is_dropped_and_its_trace_kept() {
    let many = (0..33).map(|number| format!("k{number}=v")).collect::<Vec<_>>().join(",");
    let long = format!("a={}", "x".repeat(600));
    for bad in [&many, &long, "novalue", "a=1,a=2", "A=1", "a=b=c", "a=", "\u{e9}=1", "a=\u{e9}"] {
        let context = TraceContext::parse(PARENT, bad).unwrap();
        assert_eq!((context.traceparent().as_str(), context.state.as_str()), (PARENT, ""), "{bad}");
    }
    for good in ["a=b", "a=1, b=2,", "fw529a3039@dt=FfAAA;:x", "0tenant@x=!"] {
        assert_eq!(TraceContext::parse(PARENT, good).unwrap().state, good);
    }
}

#[test]
fn a_stranger_who_says_sampled_decides_nothing() {
    let never = begin(tracing(0.0, false), PARENT, Source::Caller);
    assert_eq!(never.context().traceparent(), PARENT.replace("-01", "-00"), "the trace goes on, unrecorded");
    let always = begin(tracing(1.0, false), PARENT, Source::Caller);
    assert_eq!(always.context().traceparent(), PARENT);
    let recorded =
        (0..2000).filter(|_| begin(tracing(0.25, false), PARENT, Source::Caller).context().sampled);
    assert!((350..650).contains(&recorded.count()), "one in four, whatever its id");
    let declined = PARENT.replace("-01", "-00");
    assert!(!begin(tracing(1.0, false), &declined, Source::Caller).context().sampled);
}

#[test]
fn a_trusted_caller_decides_and_what_a_client_wrote_into_a_message_does_not() {
    assert!(begin(tracing(0.0, true), PARENT, Source::Caller).context().sampled);
    assert!(!begin(tracing(0.0, true), PARENT, Source::Client).context().sampled);
}

#[test]
fn without_an_exporter_a_request_keeps_its_parent_and_has_no_span() {
    let place = begin(tracing(1.0, true), PARENT, Source::Caller);
    assert_eq!((place.trace_id().as_str(), place.span_id()), (TRACE, None));
    assert_eq!(hop(&Span::none(), place.context()).traceparent(), PARENT);
    let (one, other) =
        (tracing(1.0, true).begin(Span::none(), None), tracing(1.0, true).begin(Span::none(), None));
    assert_ne!(one.trace_id(), other.trace_id());
    assert!(!one.context().sampled, "nobody records it");
    assert_eq!(TraceContext::parse(&one.context().traceparent(), "").as_ref(), Some(one.context()));
}

fn written(endpoint: &str) -> Written<'_> {
    Written {
        endpoint,
        headers: None,
        headers_file: "",
        ca_file: "",
        service_name: "test",
        sample_ratio: 0.1,
        trust_parent: false,
    }
}

fn resolved(written: &Written<'_>) -> Result<Settings, String> {
    let mut problems = crate::config::Problems::default();
    let settings = written.resolve(&mut problems);
    if problems.is_empty() { Ok(settings) } else { Err(problems.to_string()) }
}

#[test]
fn every_wrong_setting_is_named() {
    let secret = crate::Secret::new("no header");
    let wrong = Written {
        headers: Some(&secret),
        ca_file: "/nowhere/ca.pem",
        service_name: "",
        sample_ratio: 1.5,
        ..written("")
    };
    let problems = resolved(&wrong).unwrap_err();
    for key in ["traces.headers", "traces.ca_file", "traces.service_name", "traces.sample_ratio"] {
        assert!(problems.contains(key), "{key}: {problems}");
    }
    assert!(!problems.contains("no header"), "{problems}");
    let both = Written { headers: Some(&secret), headers_file: "/nowhere/headers", ..written("") };
    assert!(resolved(&both).unwrap_err().contains("choose one"));
    assert!(resolved(&Written { sample_ratio: f64::NAN, ..written("") }).is_err());
}

#[cfg(not(feature = "otlp"))]
#[test]
fn an_endpoint_of_a_program_that_cannot_export_is_a_problem_that_says_which_can() {
    let problem = resolved(&written("http://collector:4318")).unwrap_err();
    assert!(problem.starts_with("traces.endpoint: ") && problem.contains("--features otlp"), "{problem}");
    assert!(resolved(&written("")).unwrap().endpoint.is_none());
}

#[cfg(feature = "otlp")]
#[test]
fn both_ways_to_write_an_endpoint_come_out_right() {
    for (endpoint, full) in [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("https://vendor.example/otlp/", "https://vendor.example/otlp/v1/traces"),
        ("https://vendor.example/v1/traces", "https://vendor.example/v1/traces"),
    ] {
        assert_eq!(resolved(&written(endpoint)).unwrap().endpoint.as_deref(), Some(full));
    }
    for bad in ["collector:4318", "grpc://collector", "http://a:b@collector", "https://vendor.example/?key=1"]
    {
        assert!(resolved(&written(bad)).unwrap_err().starts_with("traces.endpoint: "), "{bad}");
    }
    let headers = crate::Secret::new("x-api-key=secret, x-scope=a=b");
    let settings =
        resolved(&Written { headers: Some(&headers), ..written("http://collector:4318") }).unwrap();
    let names: Vec<_> =
        settings.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(names, [("x-api-key", "secret"), ("x-scope", "a=b")]);
}
