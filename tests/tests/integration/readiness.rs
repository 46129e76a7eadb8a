//! What keeps a bad rollout from replacing proxies that serve, and what does not take those out that serve.

use stack::{
    cognito::{Fault, Faults},
    ports::free_port,
    program::{Kind, Program},
    stack::{Stack, Store},
};

/// What `/readyz` says of Valkey and of Cognito's keys, beside its status.
async fn said(program: &mut Program, valkey: bool, keys: bool) -> u16 {
    let status = program.wait_check("valkey", valkey).await.unwrap();
    assert_eq!(program.wait_check("cognito_keys", keys).await.unwrap(), status);
    status
}

#[tokio::test]
async fn a_proxy_that_never_reached_valkey_or_cognito_does_not_become_ready() {
    let mut stack = Stack::builder().store(Store::Valkey).start().await.unwrap();
    let (mut settings, environment) = (stack.proxies[0].settings.clone(), stack.environment());
    settings.set("server.listen", format!("127.0.0.1:{}", free_port().unwrap()));
    let mut valkey = stack.valkey.take().unwrap();
    let start = async || Program::start_unready(Kind::Proxy, &settings, &environment).await.unwrap();

    valkey.stop();
    let mut program = start().await;
    assert_eq!(said(&mut program, false, true).await, 503);
    valkey.start_again().await.unwrap();
    assert_eq!(said(&mut program, true, true).await, 200);
    drop(program);

    stack.cognito.set_faults(Faults { jwks: Some(Fault::Hang), ..Faults::default() });
    let mut program = start().await;
    assert_eq!(said(&mut program, true, false).await, 503);
    // Having reached each of them, but never both, is not enough.
    valkey.stop();
    assert_eq!(said(&mut program, false, false).await, 503);
    stack.cognito.set_faults(Faults::default());
    assert_eq!(said(&mut program, false, true).await, 503);
    valkey.start_again().await.unwrap();
    assert_eq!(said(&mut program, true, true).await, 200);
}

#[tokio::test]
async fn a_proxy_that_was_ready_stays_so_while_valkey_and_cognito_hang_and_tells_it() {
    let mut stack = Stack::builder().store(Store::Valkey).start().await.unwrap();
    stack.cognito.set_faults(Faults { jwks: Some(Fault::Hang), ..Faults::default() });
    stack.valkey.as_ref().unwrap().freeze(true).unwrap();
    let program = &mut stack.proxies[0].program;
    assert_eq!(said(program, false, true).await, 200, "the keys it has serve");
}
