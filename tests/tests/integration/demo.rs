//! `make demo` does what it says.

use std::{collections::BTreeMap, ffi::OsStr, time::Duration};

use stack::{
    ports::free_port,
    process::{Process, environment},
};

#[tokio::test]
async fn the_demo_shows_the_same_user_everywhere() {
    let port = free_port().unwrap().to_string();
    let program = OsStr::new(env!("CARGO_BIN_EXE_demo"));
    let passed_on = ["PROXY_BIN", "ADAPTER_BIN"].map(|name| Some((name.to_owned(), environment(name)?)));
    let variables: BTreeMap<String, String> = passed_on.into_iter().flatten().collect();
    let mut demo = Process::start("demo", program, ["--once", "--port", &port], &variables).unwrap();
    let status = demo.wait_ended_within(Duration::from_secs(150)).await.unwrap();
    let output = demo.log().text();
    assert_eq!(status.code(), Some(0), "{output}");
    let words = output.split_whitespace().collect::<Vec<_>>().join(" ");
    for line in
        ["Cognito says I am: alice", "get_me: alice@example.com", "Plane saw: alice,", "same user: yes"]
    {
        assert!(words.contains(line), "no {line:?} in:\n{output}");
    }
}
