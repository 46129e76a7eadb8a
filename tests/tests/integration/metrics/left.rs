//! Whoever leaves before the answer is counted, timed and logged, and says nothing of what was asked on the way.

use std::io::{Read, Write};

use serde_json::json;
use stack::{
    client::Era,
    cognito::{self, Faults},
    plane::Fault,
    process::Log,
    program::Program,
    scrape::Scrape,
    stack::{Stack, Store},
    wire::http2::{END, HEADERS, RESET, WHOLE, block, frame, greet},
};

use super::wait_until;
use crate::tls::{self, Wanted};

const LEFT: (&str, &str) = ("outcome", "left");
const UNANSWERED: [(&str, &str); 3] = [LEFT, ("status", "none"), ("reason", "client_left")];

/// The first line of a program's log with all of these words, once it is there: what it tells of is counted before.
async fn wait_line(program: &mut Program, words: &[&str]) -> String {
    let told =
        async |log: &Log| log.lines().into_iter().find(|line| words.iter().all(|&word| line.contains(word)));
    program.process().wait_for(&format!("a line with {words:?}"), told).await.unwrap()
}

#[tokio::test]
async fn who_leaves_a_slow_upstream_is_counted_timed_and_logged() {
    let mut stack = Stack::builder().echo_routes().start().await.unwrap();
    let session = stack.sign_in_at("/echo", "alice").await.unwrap();
    let program = &mut stack.proxies[0].program;
    let before = Scrape::of(program).await.unwrap();
    let echo = ("route", "/echo");
    let left = [&[echo][..], &UNANSWERED].concat();
    assert_eq!(before.find("proxy_requests_total", &left), Some(0.0), "there from the start");
    let url = session.client.endpoint().join("/echo/slow").unwrap();
    let request = session.client.request("POST", &url).unwrap().bearer_auth(&session.tokens.access);
    let asking = tokio::spawn(request.body("x").send());
    stack.echo.wait_seen(1).await.unwrap();
    asking.abort();
    wait_until(program, "proxy_requests_total", &left, |now| now == 1.0).await;
    let line = wait_line(program, &["client_left"]).await;
    let scrape = Scrape::of(program).await.unwrap();
    let durations = scrape.sum("proxy_request_duration_seconds_count", &[echo]);
    assert_eq!(durations, scrape.sum("proxy_requests_total", &[echo]));
    assert_eq!(scrape.sum("proxy_upstream_duration_seconds_count", &[echo]), 1.0);
    assert_eq!(scrape.sum("proxy_requests_in_flight", &[]), 0.0);
    for told in ["request.id", "client.ip", "/echo", "latency_us", "alice"] {
        assert!(line.contains(told), "{told}: {line}");
    }
}

#[tokio::test]
async fn an_upstream_that_fails_is_timed_like_one_that_answers() {
    let mut stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    let timed = [("route", "/mcp")];
    let before = Scrape::of(&stack.proxies[0].program).await.unwrap();
    stack.adapter.program.process().kill();
    session.client.probe(&session.tokens.access).await.unwrap().expect_status(502).unwrap();
    let scrape = Scrape::of(&stack.proxies[0].program).await.unwrap();
    let count = |scrape: &Scrape| scrape.sum("proxy_upstream_duration_seconds_count", &timed);
    assert_eq!(count(&scrape), count(&before) + 1.0);
}

#[tokio::test]
async fn a_call_left_while_plane_hangs_is_counted_at_every_step() {
    let mut stack = Stack::start().await.unwrap();
    let session = stack.sign_in("alice").await.unwrap();
    session.tool(Era::Modern, "get_me", &json!({})).await.unwrap();
    let adapter = &mut stack.adapter.program;
    let asked = stack.plane.requests().len();
    stack.plane.fault_next(Fault::Hang);
    let nothing = json!({});
    tokio::select! {
        answer = session.tool(Era::Modern, "get_me", &nothing) => panic!("{answer:?}"),
        () = async { while stack.plane.requests().len() == asked { tokio::task::yield_now().await } } => {}
    }
    let tool = ("tool", "get_me");
    wait_until(adapter, "adapter_requests_total", &[LEFT], |now| now == 1.0).await;
    wait_until(adapter, "adapter_tool_calls_total", &[tool, LEFT], |now| now == 1.0).await;
    wait_until(adapter, "adapter_plane_requests_total", &[LEFT], |now| now == 1.0).await;
    wait_line(adapter, &["left", "request.id"]).await;
    let scrape = Scrape::of(adapter).await.unwrap();
    assert_eq!(scrape.sum("adapter_tool_call_duration_seconds_count", &[tool]), 2.0);
    let questions = scrape.sum("adapter_plane_requests_total", &[]);
    assert_eq!(scrape.sum("adapter_plane_request_duration_seconds_count", &[]), questions);
    assert_eq!(scrape.sum("adapter_requests_in_flight", &[]), 0.0);
    let proxy = &stack.proxies[0].program;
    let left = [&[("route", "/mcp")][..], &UNANSWERED].concat();
    wait_until(proxy, "proxy_requests_total", &left, |now| now == 1.0).await;
}

#[tokio::test]
async fn who_leaves_while_valkey_is_asked_says_nothing_of_it_and_asks_no_oftener_than_allowed() {
    let builder = Stack::builder().store(Store::Valkey);
    let stack = builder.proxy_setting("limits.oauth_requests_per_minute", 20).start().await.unwrap();
    let (program, valkey) = (&stack.proxies[0].program, stack.valkey.as_ref().unwrap());
    let host = stack.origin().trim_start_matches("https://").to_owned();
    let request =
        block(&[(":method", "GET"), (":scheme", "https"), (":path", "/authorize"), (":authority", &host)]);
    let mut connection =
        tls::connect(&stack, Wanted { protocols: &["h2"], ..Wanted::default() }).await.unwrap();
    greet(&mut connection).unwrap();
    valkey.freeze(true).unwrap();
    let pair = |number: u32| {
        let stream = 2 * number + 1;
        [frame(HEADERS, END | WHOLE, stream, &request), frame(RESET, 0, stream, &[0, 0, 0, 8])].concat()
    };
    connection.write_all(&(0..60).flat_map(pair).collect::<Vec<_>>()).unwrap();
    connection.flush().unwrap();
    let authorize = ("route", "oauth_authorize");
    wait_until(program, "proxy_requests_total", &[authorize], |now| now >= 60.0).await;
    let scrape = Scrape::of(program).await.unwrap();
    let calls =
        |result| scrape.sum("proxy_valkey_calls_total", &[("operation", "allow"), ("result", result)]);
    assert_eq!([calls("error"), calls("timeout")], [0.0, 0.0]);
    assert!((1.0..=10.0).contains(&calls("given_up")), "{}", calls("given_up"));
    assert_eq!(
        scrape.sum("proxy_requests_total", &[&[authorize][..], &UNANSWERED].concat()),
        calls("given_up")
    );
    valkey.freeze(false).unwrap();
}

#[tokio::test]
async fn a_browser_that_leaves_while_its_code_is_redeemed_is_no_failed_sign_in() {
    let stack = Stack::start().await.unwrap();
    let program = &stack.proxies[0].program;
    let (sign_ins, left) = ("proxy_sign_ins_total", [LEFT]);
    assert_eq!(Scrape::of(program).await.unwrap().find(sign_ins, &left), Some(0.0), "there from the start");
    stack.cognito.set_faults(Faults { token: Some(cognito::Fault::Hang), ..Faults::default() });
    let (client, browser, person) =
        (stack.client("/mcp").unwrap(), stack.browser().unwrap(), stack.person("alice"));
    tokio::select! {
        answer = client.sign_in(&browser, &person) => panic!("{answer:?}"),
        () = async { while stack.cognito.code_exchanges() == 0 { tokio::task::yield_now().await } } => {}
    }
    drop(browser);
    wait_until(program, sign_ins, &left, |now| now == 1.0).await;
    let scrape = Scrape::of(program).await.unwrap();
    assert_eq!(scrape.sum(sign_ins, &[]), 1.0, "counted once");
    let callback = ("route", "oauth_callback");
    assert_eq!(scrape.sum("proxy_requests_total", &[&[callback][..], &UNANSWERED].concat()), 1.0);
    assert_eq!(scrape.sum("proxy_requests_total", &[callback, ("outcome", "failed")]), 0.0);
    let given_up = [("operation", "token"), ("result", "given_up")];
    assert_eq!(scrape.sum("proxy_cognito_calls_total", &given_up), 1.0);
}

#[tokio::test]
async fn what_a_client_takes_to_send_its_form_is_not_our_time() {
    let builder = Stack::builder().proxy_setting("limits.body_timeout_seconds", 1);
    let stack = builder.start().await.unwrap();
    let mut slow = tls::connect(&stack, Wanted::default()).await.unwrap();
    let host = stack.origin().trim_start_matches("https://").to_owned();
    write!(slow, "POST /token HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10\r\n\r\ngrant").unwrap();
    slow.flush().unwrap();
    let mut answer = Vec::new();
    let _ = slow.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    let scrape = Scrape::of(&stack.proxies[0].program).await.unwrap();
    let token = [("route", "oauth_token")];
    assert_eq!(scrape.sum("proxy_request_duration_seconds_count", &token), 1.0);
    let took = scrape.sum("proxy_request_duration_seconds_sum", &token);
    assert!(took < 0.9, "{took}");
}
