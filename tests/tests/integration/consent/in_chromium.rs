//! The pages in Chromium: with the keyboard alone, to every kind of redirect, and in nobody's frame.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stack::{
    browser::{Callback, query_value},
    chromium::{Chromium, Control, Key},
    client::{Authorization, Discovery, McpClient},
    cognito::CognitoDouble,
    process::PATIENCE,
    stack::Stack,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};
use url::Url;

/// A server on a free port that answers everything with `page`; what it was asked for comes out of the channel.
async fn listen(page: String) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let (told, asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (told, page) = (told.clone(), page.clone());
            // Browsers open more connections than they use.
            tokio::spawn(async move {
                let mut head = [0; 8192];
                let length = stream.read(&mut head).await.unwrap_or_default();
                let head = String::from_utf8_lossy(&head[..length]).into_owned();
                let Some(target) = head.split(' ').nth(1) else { return };
                let _ = told.send(target.to_owned());
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{page}",
                    page.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    (origin, asked)
}

/// A new client with this redirect URI, and its authorization request.
async fn ask(stack: &Stack, redirect_uri: &str) -> (McpClient, Discovery, String, Authorization) {
    let client = stack.client("/mcp").unwrap();
    let found = client.discover().await.unwrap();
    let metadata = json!({
        "client_name": "Chromium test client",
        "redirect_uris": [redirect_uri],
        "token_endpoint_auth_method": "none",
    });
    let registered = client.register(&found, &metadata).await.unwrap().expect_status(201).unwrap();
    let id = registered.json["client_id"].as_str().unwrap().to_owned();
    let mut authorization = client.authorization(&found, &id).unwrap();
    let pairs: Vec<(String, String)> = authorization.url.query_pairs().into_owned().collect();
    let pairs = pairs.into_iter().map(|(name, value)| match name.as_str() {
        "redirect_uri" => (name, redirect_uri.to_owned()),
        _ => (name, value),
    });
    let pairs: Vec<_> = pairs.collect();
    authorization.url.query_pairs_mut().clear().extend_pairs(pairs);
    (client, found, id, authorization)
}

/// Goes to the first control of a page that has none in focus yet.
async fn enter(chromium: &mut Chromium) {
    chromium.wait_until("document.readyState === 'complete'").await.unwrap();
    // A key that is pressed while the page is being shown can be lost: then nothing has the focus yet.
    let began = Instant::now();
    loop {
        chromium.press(&[Key::Tab]).await.unwrap();
        if chromium.run("document.activeElement !== document.body").await.unwrap() == true {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "nothing on the page takes the focus");
    }
}

/// Presses Allow on the consent page, without a mouse.
async fn allow(chromium: &mut Chromium) {
    enter(chromium).await;
    assert_eq!(chromium.run("document.activeElement.textContent").await.unwrap(), "Cancel");
    chromium.press(&[Key::Tab]).await.unwrap();
    assert_eq!(chromium.run("document.activeElement.textContent").await.unwrap(), "Allow and sign in");
    chromium.press(&[Key::Enter]).await.unwrap();
}

/// Signs alice in at the double's page.
async fn sign_in(chromium: &mut Chromium) {
    chromium.wait_until("document.querySelector('input[name=password]')").await.unwrap();
    enter(chromium).await;
    assert_eq!(chromium.run("document.activeElement.name").await.unwrap(), "username");
    let keys = [Key::Text("alice"), Key::Tab, Key::Text(CognitoDouble::PASSWORD), Key::Enter];
    chromium.press(&keys).await.unwrap();
}

fn violations(console: &[String]) -> Vec<&String> {
    let told = ["Content Security Policy", "Refused", "violat", "Mixed Content", "insecure"];
    console.iter().filter(|line| told.iter().any(|word| line.contains(word))).collect()
}

#[tokio::test]
async fn a_person_signs_in_with_the_keyboard_alone() {
    let stack = Stack::start().await.unwrap();
    let (origin, mut asked) = listen("<!doctype html><title>Done</title>You can go back.".to_owned()).await;
    let redirect_uri = format!("{origin}/callback");
    let (client, found, id, request) = ask(&stack, &redirect_uri).await;
    let mut chromium = Chromium::start().await.unwrap();

    chromium.visit(&request.url).await.unwrap();
    allow(&mut chromium).await;
    sign_in(&mut chromium).await;
    let target = async {
        while let Some(target) = asked.recv().await {
            if target.starts_with("/callback") {
                return target;
            }
        }
        panic!("the client's listener is gone")
    };
    let target = tokio::time::timeout(PATIENCE, target).await.expect("nothing came to the client");
    let callback = Callback::read(Url::parse(&format!("{origin}{target}")).unwrap());
    assert_eq!(callback.state.as_deref(), Some(request.state.as_str()));
    let form = [
        ("grant_type", "authorization_code"),
        ("code", callback.code.as_deref().unwrap()),
        ("redirect_uri", &redirect_uri),
        ("client_id", &id),
        ("code_verifier", &request.verifier),
    ];
    let tokens = client.token(&found, &form).await.unwrap().expect_status(200).unwrap();
    assert_eq!(client.probe(tokens.json["access_token"].as_str().unwrap()).await.unwrap().status, 200);
    let console = chromium.console().await.unwrap();
    assert_eq!(violations(&console), Vec::<&String>::new());
}

#[tokio::test]
async fn the_policy_of_the_page_does_not_stop_a_redirect_to_a_scheme_of_the_client_s_own() {
    let stack = Stack::start().await.unwrap();
    let (origin, _asked) = listen("<!doctype html><title>Done</title>".to_owned()).await;
    let mut chromium = Chromium::start().await.unwrap();
    // Once signed in at Cognito, form, Cognito, callback and client are one chain, over which Chrome keeps the policy.
    let (_, _, _, first) = ask(&stack, &format!("{origin}/callback")).await;
    chromium.visit(&first.url).await.unwrap();
    allow(&mut chromium).await;
    sign_in(&mut chromium).await;
    chromium.wait_until("document.title === 'Done'").await.unwrap();

    let uri = "cursor://anysphere.cursor-mcp/oauth/callback";
    let (_, _, _, request) = ask(&stack, uri).await;
    chromium.visit(&request.url).await.unwrap();
    chromium.events().await.unwrap();
    chromium.console().await.unwrap();
    allow(&mut chromium).await;
    let (mut seen, mut attempt) = (Vec::new(), None);
    let began = Instant::now();
    while attempt.is_none() && began.elapsed() < PATIENCE {
        seen.extend(chromium.events().await.unwrap());
        attempt = seen.iter().find_map(|(_, event)| wanted(event, uri));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let console = chromium.console().await.unwrap();
    let events: Vec<_> = seen.iter().map(|(method, event)| format!("{method} {event}")).collect();
    let attempt = attempt.unwrap_or_else(|| panic!("no attempt; {console:?}\n{}", events.join("\n")));
    assert!(query_value(&attempt, "code").is_some(), "{attempt}");
    assert_eq!(violations(&console), Vec::<&String>::new());
}

/// Where an event says that the browser goes, when that is `uri`.
fn wanted(event: &Value, uri: &str) -> Option<Url> {
    let place = event["request"]["url"].as_str().filter(|place| place.starts_with(uri))?;
    Url::parse(place).ok()
}

#[tokio::test]
async fn the_pages_can_be_read_by_everybody_and_framed_by_nobody() {
    let stack = Stack::start().await.unwrap();
    let (_, _, _, request) = ask(&stack, "http://127.0.0.1:9/callback").await;
    let mut wrong = request.url.clone();
    wrong.query_pairs_mut().append_pair("client_id", "twice");
    let chromium = Chromium::start().await.unwrap();
    let button = |name: &str| Control { role: "button".to_owned(), name: name.to_owned() };
    let buttons = vec![button("Cancel"), button("Allow and sign in")];
    for (url, page, controls) in [(&request.url, "consent", buttons), (&wrong, "error", Vec::new())] {
        for scheme in ["light", "dark"] {
            chromium.prefer(scheme).await.unwrap();
            for (width, height) in [(1000, 800), (320, 640)] {
                chromium.resize(width, height).await.unwrap();
                chromium.visit(url).await.unwrap();
                chromium.screenshot(&format!("{page}-{scheme}-{width}")).await.unwrap();
                for _ in &controls {
                    chromium.press(&[Key::Tab]).await.unwrap();
                    let seen = chromium.inspect().await.unwrap();
                    assert_eq!(seen.problems, Vec::<String>::new(), "{page}, {scheme}, {width}");
                }
                let seen = chromium.inspect().await.unwrap();
                assert_eq!(seen.controls, controls);
                assert_eq!(seen.problems, Vec::<String>::new(), "{page}, {scheme}, {width}");
                assert!(seen.contrast >= 4.5, "{}", seen.contrast);
            }
        }
    }
    let dark = chromium.run("getComputedStyle(document.body).backgroundColor").await.unwrap();
    assert_eq!(dark, "rgb(13, 17, 23)", "the dark colours are in use");
    assert_eq!(violations(&chromium.console().await.unwrap()), Vec::<&String>::new());

    let frame = format!("<!doctype html><title>Evil</title><iframe src=\"{}\"></iframe>", request.url);
    let (evil, _asked) = listen(frame.replace('&', "&amp;")).await;
    chromium.visit(&Url::parse(&evil).unwrap()).await.unwrap();
    let console = chromium.console().await.unwrap();
    let refused = ["frame-ancestors", "X-Frame-Options"];
    assert!(console.iter().any(|line| refused.iter().any(|word| line.contains(word))), "{console:?}");
    chromium.enter_frame(true).await.unwrap();
    assert_eq!(chromium.run("document.querySelector('form') === null").await.unwrap(), true);
}
