//! `/oauth2/authorize` and the sign-in page.

use super::{
    CognitoDouble,
    answer::Answer,
    server::Call,
    signing::uuid,
    world::{BrowserSession, Code, World},
};

/// The browser's own session: for an hour, a second authorization shows no page at all.
pub(super) const COOKIE: &str = "cognito";

/// An authorization request whose client and redirect URI are proven.
#[derive(Debug)]
struct Request<'a> {
    redirect_uri: &'a str,
    state: Option<&'a str>,
    scopes: Vec<String>,
    nonce: Option<&'a str>,
    challenge: Option<&'a str>,
    resource: Option<&'a str>,
    prompt: Option<&'a str>,
}

/// `GET /oauth2/authorize`
pub(super) fn authorize(world: &mut World, call: &Call) -> Answer {
    let request = match Request::read(world, call) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let asks_anew = matches!(request.prompt, Some("login" | "select_account"));
    let signed_in = signed_in_user(world, call).filter(|_| !asks_anew);
    match signed_in {
        Some((username, auth_time)) => redirect_with_code(world, &request, &username, auth_time),
        None if request.prompt == Some("none") => request.refuse("login_required"),
        None => Answer::redirect(&format!("/login?{}", call.raw_query)),
    }
}

/// `GET /login`
pub(super) fn login_page(world: &World, call: &Call) -> Answer {
    match Request::read(world, call) {
        Ok(_) => page(call, ""),
        Err(answer) => answer,
    }
}

/// `POST /login`: the form of that page.
pub(super) fn login(world: &mut World, call: &Call) -> Answer {
    let request = match Request::read(world, call) {
        Ok(request) => request,
        Err(answer) => return answer,
    };
    let name = call.form_value("username").unwrap_or_default();
    let user =
        world.users.get(name).filter(|user| call.form_value("password") == Some(user.password.as_str()));
    let Some(user) = user else { return page(call, "Incorrect username or password.") };
    if user.disabled {
        return page(call, "User is disabled.");
    }
    let (username, now) = (user.username.clone(), world.now());
    let cookie = uuid();
    let until = now.saturating_add(CognitoDouble::BROWSER_SESSION.as_secs());
    world
        .browsers
        .insert(cookie.clone(), BrowserSession { username: username.clone(), auth_time: now, until });
    // Without `Secure`, which the real one has: the double speaks plain HTTP.
    let cookie = format!("{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600");
    redirect_with_code(world, &request, &username, now).with("set-cookie", &cookie)
}

/// `GET /error`: where a request ends whose client or redirect URI is wrong.
pub(super) fn error_page(call: &Call) -> Answer {
    let reason = call.query_value("error").unwrap_or("unknown");
    Answer::html(400, format!("<html><body>An error was encountered: {}</body></html>", escaped(reason)))
}

/// Who is signed in at this browser, and since when.
fn signed_in_user(world: &World, call: &Call) -> Option<(String, u64)> {
    let session = world.browsers.get(cookie_value(call)?)?;
    let user = world.users.get(&session.username).filter(|user| !user.disabled)?;
    (world.now() < session.until).then(|| (user.username.clone(), session.auth_time))
}

pub(super) fn cookie_value(call: &Call) -> Option<&str> {
    let cookies = call.header("cookie")?;
    cookies
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, v)| v)
}

fn redirect_with_code(world: &mut World, request: &Request<'_>, username: &str, auth_time: u64) -> Answer {
    let mut grant = world.grant(username, request.scopes.clone(), auth_time);
    grant.nonce = request.nonce.map(str::to_owned);
    grant.resource = request.resource.map(str::to_owned);
    let code = Code {
        grant,
        redirect_uri: request.redirect_uri.to_owned(),
        challenge: request.challenge.map(str::to_owned),
        until: world.now().saturating_add(CognitoDouble::CODE_LIFETIME.as_secs()),
    };
    let text = uuid();
    world.codes.insert(text.clone(), code);
    // No `iss` (RFC 9207): Cognito has none.
    let mut parameters = vec![("code", text.as_str())];
    parameters.extend(request.state.map(|state| ("state", state)));
    Answer::redirect_with(request.redirect_uri, &parameters)
}

impl<'a> Request<'a> {
    /// Reads a request. Before the redirect URI is proven an error is a page; after it, a redirect.
    fn read(world: &World, call: &'a Call) -> Result<Self, Answer> {
        let value = |name| call.query_value(name).filter(|value| !value.is_empty());
        if value("client_id") != Some(world.options.client_id.as_str()) {
            return Err(Answer::redirect("/error?error=invalid_client"));
        }
        let redirect_uri = value("redirect_uri").unwrap_or_default();
        if !world.options.redirect_uris.iter().any(|known| known == redirect_uri) {
            return Err(Answer::redirect("/error?error=redirect_mismatch"));
        }
        let request = Self {
            redirect_uri,
            state: value("state"),
            scopes: requested_scopes(world, value("scope")),
            nonce: value("nonce"),
            challenge: value("code_challenge"),
            resource: value("resource"),
            prompt: value("prompt"),
        };
        match request.problem(world, call) {
            Some(error) => Err(request.refuse(error)),
            None => Ok(request),
        }
    }

    fn problem(&self, world: &World, call: &Call) -> Option<&'static str> {
        let repeated =
            |(name, _): &(String, String)| call.query.iter().filter(|(other, _)| other == name).count() > 1;
        if call.query.iter().any(repeated) {
            return Some("invalid_request");
        }
        match call.query_value("response_type") {
            Some("code") => {}
            Some("token") => return Some("unauthorized_client"),
            Some(_) | None => return Some("invalid_request"),
        }
        // S256 only, and a challenge needs its method; none at all is fine with Cognito.
        match (self.challenge, call.query_value("code_challenge_method")) {
            (None, None) | (Some(_), Some("S256")) => {}
            (_, _) => return Some("invalid_request"),
        }
        // "The value of state can't be a URL-encoded JSON string."
        if self.state.is_some_and(|state| state.starts_with('{')) {
            return Some("invalid_request");
        }
        if self.resource.is_some_and(|resource| !is_resource(resource)) {
            return Some("invalid_request");
        }
        let unknown = |scope: &String| !world.options.scopes.contains(scope);
        self.scopes.iter().any(unknown).then_some("invalid_scope")
    }

    fn refuse(&self, error: &str) -> Answer {
        let mut parameters = vec![("error", error)];
        parameters.extend(self.state.map(|state| ("state", state)));
        Answer::redirect_with(self.redirect_uri, &parameters)
    }
}

/// The scopes asked for; all of the client's when none are.
fn requested_scopes(world: &World, scope: Option<&str>) -> Vec<String> {
    match scope {
        Some(scope) => scope.split_ascii_whitespace().map(str::to_owned).collect(),
        None => world.options.scopes.clone(),
    }
}

/// Any `https` URL, `http://localhost`, or a custom scheme.
fn is_resource(text: &str) -> bool {
    match text.split_once("://") {
        Some(("https", rest)) => !rest.is_empty(),
        Some(("http", rest)) => rest.starts_with("localhost"),
        Some((scheme, rest)) => !scheme.is_empty() && !rest.is_empty(),
        None => false,
    }
}

fn page(call: &Call, message: &str) -> Answer {
    let action = escaped(&format!("/login?{}", call.raw_query));
    Answer::html(
        200,
        format!(
            "<!doctype html><html><head><title>Signin</title></head><body><p>{message}</p>\
             <form method=\"post\" action=\"{action}\">\
             <label>Username <input name=\"username\" autocomplete=\"username\"></label>\
             <label>Password <input name=\"password\" type=\"password\"></label>\
             <button>Sign in</button></form></body></html>"
        ),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
