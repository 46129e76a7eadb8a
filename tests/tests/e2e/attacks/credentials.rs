//! More than one credential, one of another kind, or somebody else's.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::Row;

fn basic(user: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")))
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        ("no token", |t| t.as_somebody(""), [401; 4]),
        ("a token twice", |t| t.as_somebody(&[t.bearer(), t.bearer()].concat()), [400; 4]),
        (
            "a token and another",
            |t| t.as_somebody(&format!("{}Authorization: Bearer x\r\n", t.bearer())),
            [400; 4],
        ),
        (
            "another and a token",
            |t| t.as_somebody(&format!("Authorization: Bearer x\r\n{}", t.bearer())),
            [400; 4],
        ),
        ("Basic and a token", |t| t.as_somebody(&[basic("bob", "x"), t.bearer()].concat()), [400; 4]),
        (
            "two tokens in one",
            |t| t.as_somebody(&format!("{}, Bearer {}\r\n", t.bearer().trim_end(), t.token)),
            [401; 4],
        ),
        ("bearer in small letters", |t| t.as_somebody(&t.bearer().replace("Bearer", "bearer")), [200; 4]),
        ("two spaces after Bearer", |t| t.as_somebody(&t.bearer().replace("Bearer ", "Bearer  ")), [200; 4]),
        ("the token alone", |t| t.as_somebody(&t.bearer().replace("Bearer ", "")), [401; 4]),
        ("Basic with the edge's token", |t| t.as_somebody(&basic(&t.token, "x-oauth-basic")), [401; 4]),
        ("Basic with the ID token", |t| t.as_somebody(&basic(&t.cognito.id, "x-oauth-basic")), [401; 4]),
        ("Basic with the ID token as password", |t| t.as_somebody(&basic("bob", &t.cognito.id)), [401; 4]),
        ("the ID token", |t| t.as_somebody(&format!("Authorization: Bearer {}\r\n", t.cognito.id)), [401; 4]),
        (
            "Cognito's access token",
            |t| t.as_somebody(&format!("Authorization: Bearer {}\r\n", t.cognito.access)),
            [401; 4],
        ),
        (
            "a token without signature",
            |t| {
                let unsigned = t.token.rsplit_once('.').unwrap().0;
                t.as_somebody(&format!("Authorization: Bearer {unsigned}.\r\n"))
            },
            [401; 4],
        ),
        ("a stale token", |t| t.as_somebody(&format!("Authorization: Bearer {}\r\n", t.stale)), [401; 4]),
        ("a victim's cookie", |t| t.as_somebody(&format!("Cookie: {}\r\n", t.cookies)), [401; 4]),
        (
            "a victim's cookie and a stale token",
            |t| t.as_somebody(&format!("Cookie: {}\r\nAuthorization: Bearer {}\r\n", t.cookies, t.stale)),
            [401; 4],
        ),
        (
            "a victim's cookie and an empty token",
            |t| t.as_somebody(&format!("Cookie: {}\r\nAuthorization: Bearer \r\n", t.cookies)),
            [401; 4],
        ),
        ("a victim's cookie and the own token", |t| t.with(&format!("Cookie: {}\r\n", t.cookies)), [200; 4]),
        (
            "a victim's cookie in pieces",
            |t| t.with(&t.cookies.split("; ").map(|pair| format!("Cookie: {pair}\r\n")).collect::<String>()),
            [200; 4],
        ),
        ("a victim's key", |t| t.as_somebody(&format!("X-Api-Key: {}\r\n", t.key)), [401; 4]),
        ("a victim's key and the own token", |t| t.with(&format!("X-Api-Key: {}\r\n", t.key)), [200; 4]),
        ("a victim's key in another spelling", |t| t.with(&format!("X_Api_Key: {}\r\n", t.key)), [200; 4]),
        (
            "Authorization in another spelling",
            |t| t.as_somebody(&t.bearer().replace("Authorization", "Authorization_")),
            [401; 4],
        ),
        ("Proxy-Authorization", |t| t.as_somebody(&format!("Proxy-{}", t.bearer())), [401; 4]),
        ("X-Forwarded-Authorization", |t| t.as_somebody(&format!("X-Forwarded-{}", t.bearer())), [401; 4]),
    ]
}
