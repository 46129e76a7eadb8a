//! What an image that holds nothing but a program needs of it.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt};

use stack::{
    ports::free_port,
    program::{Kind, Program, run_to_end, run_to_end_with},
    scratch::Scratch,
    settings::Settings,
    stack::{Stack, Store},
};

#[tokio::test]
async fn a_health_check_tells_a_proxy_that_is_ready_from_one_that_only_lives_and_from_none() {
    let admin = format!("127.0.0.1:{}", free_port().unwrap());
    let stack = Stack::builder().store(Store::Valkey).proxy_setting("server.admin_listen", admin);
    let mut stack = stack.start().await.unwrap();
    let (settings, environment) = (stack.proxies[0].settings.clone(), stack.environment());
    let ask = async |command| {
        let (status, said) = run_to_end_with(Kind::Proxy, command, &settings, &environment).await.unwrap();
        (status.code(), said)
    };
    assert_eq!(ask("healthcheck").await, (Some(0), String::new()));
    assert_eq!(ask("healthcheck --ready").await, (Some(0), String::new()));

    stack.proxies.clear();
    stack.valkey = None;
    let mut unready = Program::start_unready(Kind::Proxy, &settings, &environment).await.unwrap();
    assert_eq!(unready.wait_check("valkey", false).await.unwrap(), 503);
    assert_eq!(ask("healthcheck").await.0, Some(0), "it lives, and a new one would not help");
    let (code, said) = ask("healthcheck --ready").await;
    assert!(code == Some(1) && said.contains("/readyz says"), "{said}");

    drop(unready);
    assert_eq!(ask("healthcheck").await.0, Some(1));
}

#[tokio::test]
async fn a_health_check_tells_an_adapter_that_is_ready_from_none() {
    let admin = format!("127.0.0.1:{}", free_port().unwrap());
    let stack = Stack::builder().adapter_setting("server.admin_listen", admin).start().await.unwrap();
    let settings = stack.adapter.settings.clone();
    let ask = async |command| run_to_end(Kind::Adapter, command, &settings).await.unwrap().0.code();
    assert_eq!([ask("healthcheck").await, ask("healthcheck --ready").await], [Some(0); 2]);
    drop(stack);
    assert_eq!([ask("healthcheck").await, ask("healthcheck --ready").await], [Some(1); 2]);
}

#[tokio::test]
async fn new_keys_go_to_a_file_of_the_owner_alone_and_never_over_keys_in_use() {
    let scratch = Scratch::new("keys").unwrap();
    let file = scratch.path().join("keys");
    let command = format!("keys generate --to {}", file.display());
    let generate = async || {
        let (status, said) = run_to_end(Kind::Proxy, &command, &Settings::default()).await.unwrap();
        assert!(status.success() && said.contains("keys"), "{said}");
        fs::read_to_string(&file).unwrap()
    };
    let keys = generate().await;
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(generate().await, keys);

    let mut stack = Stack::start().await.unwrap();
    let mut settings = stack.proxies[0].settings.clone();
    stack.proxies.clear();
    settings.set("vault.keys_file", file.display().to_string());
    let secret = stack.environment().remove("PROXY_COGNITO__CLIENT_SECRET").unwrap();
    let environment = BTreeMap::from([("PROXY_COGNITO__CLIENT_SECRET".to_owned(), secret)]);
    let (status, said) = run_to_end_with(Kind::Proxy, "check", &settings, &environment).await.unwrap();
    assert!(status.success(), "{said}");
}
