use super::*;

/// Passes, fails with words, or never answers.
enum Dependency {
    Up,
    Down,
    Hangs,
}

/// What others may lose without this process being of less use than its replicas; it hangs when it is away.
#[derive(Default)]
struct Shared(AtomicBool);

impl ReadyCheck for Shared {
    fn name(&self) -> &'static str {
        "shared"
    }

    fn needed(&self) -> Needed {
        Needed::AtStart
    }

    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        let there = self.0.load(Ordering::Relaxed);
        Box::pin(async move { if there { Ok(()) } else { std::future::pending().await } })
    }
}

impl ReadyCheck for Dependency {
    fn name(&self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Hangs => "hangs",
        }
    }

    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async {
            match self {
                Self::Up => Ok(()),
                Self::Down => Err("does not answer".to_owned()),
                Self::Hangs => std::future::pending().await,
            }
        })
    }
}

fn admin(checks: Vec<Arc<dyn ReadyCheck>>) -> Admin {
    Admin::new(Registry::new(), checks, Shutdown::manual())
}

async fn ask(admin: &Admin, method: Method, path: &str) -> (StatusCode, String) {
    use http_body_util::BodyExt;
    let response = admin.answer(&Request::builder().method(method).uri(path).body(()).unwrap()).await;
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn ready_when_every_check_passes() {
    let answer = ask(&admin(vec![Arc::new(Dependency::Up)]), Method::GET, "/readyz").await;
    assert_eq!(answer, (StatusCode::OK, r#"{"checks":{"up":"ok"}}"#.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn not_ready_when_a_check_fails_or_hangs() {
    let checks: Vec<Arc<dyn ReadyCheck>> =
        vec![Arc::new(Dependency::Up), Arc::new(Dependency::Down), Arc::new(Dependency::Hangs)];
    let (status, body) = ask(&admin(checks), Method::GET, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body, r#"{"checks":{"down":"does not answer","hangs":"no answer within 500 ms","up":"ok"}}"#);
}

#[tokio::test(start_paused = true)]
async fn what_is_needed_at_the_start_alone_is_told_afterwards_and_no_more() {
    let shared = Arc::new(Shared::default());
    let admin = admin(vec![Arc::new(Dependency::Up), shared.clone()]);
    let away = r#"{"checks":{"shared":"no answer within 500 ms","up":"ok"}}"#;
    let asked = async || ask(&admin, Method::GET, "/readyz").await;
    assert_eq!(asked().await, (StatusCode::SERVICE_UNAVAILABLE, away.to_owned()), "never reached");
    shared.0.store(true, Ordering::Relaxed);
    assert_eq!(asked().await.0, StatusCode::OK);
    shared.0.store(false, Ordering::Relaxed);
    assert_eq!(asked().await, (StatusCode::OK, away.to_owned()), "its replicas do no better without it");
    admin.shutdown.trigger();
    assert_eq!(asked().await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn what_was_good_while_something_else_was_not_does_not_count_as_the_start() {
    let shared = Arc::new(Shared(AtomicBool::new(true)));
    let admin = admin(vec![Arc::new(Dependency::Down), shared.clone()]);
    assert_eq!(ask(&admin, Method::GET, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!admin.started.load(Ordering::Relaxed));
}

#[tokio::test]
async fn live_but_not_ready_while_draining() {
    let admin = admin(vec![Arc::new(Dependency::Up)]);
    admin.shutdown.trigger();
    assert_eq!(ask(&admin, Method::GET, "/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ask(&admin, Method::GET, "/livez").await, (StatusCode::OK, "ok\n".to_owned()));
}

#[tokio::test]
async fn metrics_are_those_of_the_registry() {
    let admin = admin(vec![]);
    let counter = prometheus::IntCounter::new("answers_total", "Answers given.").unwrap();
    admin.registry.register(Box::new(counter.clone())).unwrap();
    counter.inc_by(7);
    let (status, body) = ask(&admin, Method::GET, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.contains("answers_total 7\n"), "{body}");
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let admin = admin(vec![]);
    assert_eq!(ask(&admin, Method::GET, "/").await.0, StatusCode::NOT_FOUND);
    assert_eq!(ask(&admin, Method::POST, "/livez").await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn listener_answers_over_tcp() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let serving = tokio::spawn(admin(vec![]).serve(listener));
    let mut tcp = TcpStream::connect(addr).await.unwrap();
    tcp.write_all(b"GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    tcp.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK") && text.ends_with("ok\n"), "{text}");
    serving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_health_check_asks_what_listens_on_every_address_and_tells_what_it_heard() {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(admin(vec![Arc::new(Dependency::Down)]).serve(listener));
    let asked = |ready| tokio::task::spawn_blocking(move || healthcheck(address, ready));
    asked(false).await.unwrap().unwrap();
    let refused = asked(true).await.unwrap().unwrap_err().to_string();
    assert_eq!(refused, r#"/readyz says: {"checks":{"down":"does not answer"}}"#);
    serving.abort();
    let _ = serving.await;
    assert!(asked(false).await.unwrap().is_err(), "nobody listens any more");
}
