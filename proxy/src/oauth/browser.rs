//! Which browser it is: a signed random cookie that ties consent form and callback to the browser that began.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

use super::opaque::opaque;
use crate::keys::{KeyRing, Purpose};

/// `__Host-`: only this very host can have set it, over TLS (RFC 6265bis section 4.1.3).
const COOKIE_NAME: &str = "__Host-mcp-edge";

/// A browser, by the random id in its cookie. Not a credential: it opens nothing without a form or state of ours.
#[derive(Debug, Clone)]
pub(super) struct Browser(String);

impl Browser {
    /// The browser of a request, if its cookie is ours.
    pub(super) fn of(headers: &HeaderMap, keys: &KeyRing) -> Option<Self> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        cookies.flat_map(|line| line.split(';')).find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            let (id, mac) = value.split_once('.').filter(|_| name == COOKIE_NAME)?;
            let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
            keys.mac_matches(Purpose::Cookie, id.as_bytes(), &mac).then(|| Self(id.to_owned()))
        })
    }

    /// A browser seen for the first time.
    pub(super) fn new() -> Self {
        Self(opaque::<16>())
    }

    /// The `Set-Cookie` value that makes it known again for `lifetime`. Lax, because Cognito sends the browser back from its
    /// own site.
    pub(super) fn cookie(&self, keys: &KeyRing, lifetime: Duration) -> Option<HeaderValue> {
        let mac = URL_SAFE_NO_PAD.encode(keys.mac(Purpose::Cookie, self.0.as_bytes()));
        let value = format!(
            "{COOKIE_NAME}={}.{mac}; Path=/; Max-Age={}; Secure; HttpOnly; SameSite=Lax",
            self.0,
            lifetime.as_secs()
        );
        HeaderValue::from_str(&value).ok()
    }

    /// The id.
    pub(super) fn id(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cookie_we_signed_names_a_browser() {
        let keys = KeyRing::ephemeral();
        let browser = Browser::new();
        let cookie = browser.cookie(&keys, Duration::from_secs(60)).unwrap();
        let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        let seen = |value: &str, keys: &KeyRing| {
            let mut headers = HeaderMap::new();
            headers.append(COOKIE, HeaderValue::from_static("a=b"));
            headers.append(COOKIE, HeaderValue::from_str(value).unwrap());
            Browser::of(&headers, keys).map(|browser| browser.0)
        };
        assert_eq!(seen(&format!("x=y; {pair}"), &keys).as_deref(), Some(browser.id()));
        assert_eq!(seen(&pair, &KeyRing::ephemeral()), None);
        assert_eq!(seen(&format!("{COOKIE_NAME}=forged.{}", URL_SAFE_NO_PAD.encode([0; 32])), &keys), None);
        assert_eq!(seen(&format!("{COOKIE_NAME}=noseal"), &keys), None);
    }
}
