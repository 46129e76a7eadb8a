//! A person at a browser: keeps cookies, reads forms, presses buttons, and decides about every redirect by itself.

use http::HeaderMap;
use reqwest::{Certificate, redirect::Policy};
use url::Url;

use crate::trouble::{Outcome, Trouble, While};

mod form;
pub use form::Form;

/// A browser with an empty cookie jar of its own.
#[derive(Debug, Clone)]
pub struct Browser {
    http: reqwest::Client,
}

/// What one step led to. Redirects are not followed.
#[derive(Debug, Clone)]
pub struct Page {
    /// Where the page was loaded from.
    pub url: Url,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub body: String,
}

/// What arrived at the client's redirect URI (RFC 6749 section 4.1.2, RFC 9207).
#[derive(Debug, Clone)]
pub struct Callback {
    /// The whole URL.
    pub url: Url,
    /// The authorization code.
    pub code: Option<String>,
    /// The client's own state.
    pub state: Option<String>,
    /// The issuer's name.
    pub iss: Option<String>,
    /// The error code, where there is no code.
    pub error: Option<String>,
}

/// What the person at the browser does on the way.
#[derive(Debug, Clone)]
pub struct Person {
    /// The name to sign in with.
    pub user: String,
    /// The password to sign in with.
    pub password: String,
    /// The button pressed on the consent page: `approve` or `deny`.
    pub decision: String,
}

impl Person {
    /// Somebody who approves.
    #[must_use]
    pub fn new(user: &str, password: &str) -> Self {
        Self { user: user.to_owned(), password: password.to_owned(), decision: "approve".to_owned() }
    }
}

impl Browser {
    /// A browser that trusts only the authority with certificate `ca_pem`.
    ///
    /// # Errors
    /// When that is no certificate.
    pub fn new(ca_pem: &str) -> Outcome<Self> {
        let ca = Certificate::from_pem(ca_pem.as_bytes()).while_doing("read the CA certificate")?;
        let builder = reqwest::Client::builder().tls_certs_only([ca]).redirect(Policy::none());
        let http = builder.cookie_store(true).no_proxy().build().while_doing("build a browser")?;
        Ok(Self { http })
    }

    /// Loads a page.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn visit(&self, url: &Url) -> Outcome<Page> {
        self.send(self.http.get(url.clone()), url).await
    }

    /// Submits the page's form: its hidden inputs and the given fields (a button's name and value among them).
    ///
    /// # Errors
    /// When the page has no form or the server does not answer.
    pub async fn submit(&self, page: &Page, fields: &[(&str, &str)]) -> Outcome<Page> {
        let form = page.form()?;
        let mut all = form.hidden;
        all.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.send(self.http.post(form.action.clone()).form(&all), &form.action).await
    }

    /// Loads the page a redirect leads to.
    ///
    /// # Errors
    /// When the page is no redirect or the server does not answer.
    pub async fn follow(&self, page: &Page) -> Outcome<Page> {
        self.visit(&page.location()?).await
    }

    /// Goes all the way from an authorization URL to the client's redirect URI, signing in and consenting where asked.
    ///
    /// # Errors
    /// When the way ends on another page; the sentence shows it.
    pub async fn sign_in(&self, authorize: &Url, person: &Person) -> Outcome<Callback> {
        let redirect_uri = query_value(authorize, "redirect_uri").unwrap_or_default();
        let redirect_uri =
            Url::parse(&redirect_uri).while_doing("read redirect_uri of the authorization URL")?;
        let mut page = self.visit(authorize).await?;
        for _ in 0..12 {
            if let Ok(location) = page.location() {
                if is_same_place(&location, &redirect_uri) {
                    return Ok(Callback::read(location));
                }
                page = self.visit(&location).await?;
            } else if page.status == 200 && page.body.contains("name=\"password\"") {
                let fields = [("username", person.user.as_str()), ("password", person.password.as_str())];
                page = self.submit(&page, &fields).await?;
            } else if page.status == 200 && page.body.contains("name=\"decision\"") {
                page = self.submit(&page, &[("decision", &person.decision)]).await?;
            } else {
                break;
            }
        }
        Err(page.trouble("is not a page on the way to a sign-in"))
    }

    async fn send(&self, request: reqwest::RequestBuilder, url: &Url) -> Outcome<Page> {
        let mut without_query = url.clone();
        without_query.set_query(None);
        let what = format!("load {without_query}");
        let response = request.header("accept", "text/html").send().await.while_doing(&what)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.text().await.while_doing(&what)?;
        Ok(Page { url: url.clone(), status, headers, body })
    }
}

impl Page {
    /// Where a redirect leads, resolved against the page's own URL.
    ///
    /// # Errors
    /// When the page is no redirect.
    pub fn location(&self) -> Outcome<Url> {
        let location = self.headers.get("location").filter(|_| (300..400).contains(&self.status));
        let location = location.and_then(|value| value.to_str().ok());
        location.and_then(|text| self.url.join(text).ok()).ok_or_else(|| self.trouble("is not a redirect"))
    }

    /// The first form of the page.
    ///
    /// # Errors
    /// When it has none.
    pub fn form(&self) -> Outcome<Form> {
        Form::first(&self.body, &self.url).ok_or_else(|| self.trouble("has no form"))
    }

    fn trouble(&self, what: &str) -> Trouble {
        let body: String = self.body.chars().take(600).collect();
        Trouble::new(format!("{} (status {}) {what}:\n{body}", self.url, self.status))
    }
}

impl Callback {
    /// Reads the parameters of a redirect to the client.
    #[must_use]
    pub fn read(url: Url) -> Self {
        let value = |name| query_value(&url, name);
        let (code, state, iss, error) = (value("code"), value("state"), value("iss"), value("error"));
        Self { url, code, state, iss, error }
    }
}

/// The value of a query parameter that occurs once.
#[must_use]
pub fn query_value(url: &Url, name: &str) -> Option<String> {
    let mut values = url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    values.next().filter(|_| values.next().is_none())
}

fn is_same_place(url: &Url, other: &Url) -> bool {
    url.scheme() == other.scheme()
        && url.host_str() == other.host_str()
        && url.port_or_known_default() == other.port_or_known_default()
        && url.path() == other.path()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        certificate::Authority,
        cognito::{CognitoDouble, CognitoOptions},
    };

    #[tokio::test]
    async fn a_person_signs_in_where_a_form_asks_for_it() {
        let redirect_uri = "http://127.0.0.1:9/callback?keep=1";
        let mut options = CognitoOptions::default();
        options.redirect_uris.push(redirect_uri.to_owned());
        let cognito = CognitoDouble::start(options).await.unwrap();
        let browser = Browser::new(&Authority::new().unwrap().pem()).unwrap();
        let mut url = Url::parse(&format!("{}/oauth2/authorize", cognito.domain_url())).unwrap();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &cognito.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", "openid")
            .append_pair("state", "abc");
        let person = Person::new("alice", CognitoDouble::PASSWORD);
        let callback = browser.sign_in(&url, &person).await.unwrap();
        assert!(callback.code.is_some(), "{callback:?}");
        assert_eq!((callback.state.as_deref(), callback.iss), (Some("abc"), None));

        let stranger = Person::new("alice", "wrong");
        let other = Browser::new(&Authority::new().unwrap().pem()).unwrap();
        assert!(other.sign_in(&url, &stranger).await.is_err());
    }
}
