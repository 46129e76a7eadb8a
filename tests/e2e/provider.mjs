// An independent OpenID provider (oidc-provider, certified) that looks like an Amazon Cognito user pool.
//
//   node provider.mjs '<options as JSON>'        prints one line of JSON with its addresses when it is ready
//
// oidc-provider does the protocol: codes, PKCE, client authentication, signatures. What is here gives it Cognito's paths and
// discovery document, a key for each kind of token, Cognito's claims and error names, refresh tokens with and without
// rotation, and a sign-in page. Two listeners on 127.0.0.1, as at Cognito: the issuer's host and the OAuth domain.
import { createServer, request } from "node:http";
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, randomUUID, sign, verify } from "node:crypto";
import Provider from "oidc-provider";

const options = {
  pool: "eu-central-1_Provider1",
  clientId: "7providerclientid0e2e001",
  clientSecret: "provider-client-secret-51-characters-like-the-real-o",
  redirectUris: [],
  issuerPort: 0,
  domainPort: 0,
  // Seconds.
  accessTtl: 3600,
  idTtl: 3600,
  refreshTtl: 30 * 24 * 3600,
  // Refresh token rotation, and for how many seconds a replaced one still works (Cognito: 0 to 60).
  rotation: true,
  grace: 0,
  users: {
    alice: { sub: "a1f0c0de-0000-4000-8000-00000000a11c", email: "alice@example.com", groups: ["engineering"] },
    bob: { sub: "b0b0c0de-0000-4000-8000-0000000000b0", email: "bob@example.com", groups: [] },
  },
  password: "Correct-Horse-1",
  ...JSON.parse(process.argv[2] ?? "{}"),
};

const listen = (server, port) => new Promise((done) => server.listen(port, "127.0.0.1", () => done(server.address().port)));
const issuerServer = createServer((request, response) => issuerHost(request, response));
const domainServer = createServer((request, response) => domain(request, response));
const issuerUrl = `http://127.0.0.1:${await listen(issuerServer, options.issuerPort)}/${options.pool}`;
const domainUrl = `http://127.0.0.1:${await listen(domainServer, options.domainPort)}`;

// One key pair for each kind of token, with a kid of Cognito's shape: base64, which is no path.
function key() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = privateKey.export({ format: "jwk" });
  return { ...jwk, kid: createHash("sha256").update(jwk.n).digest("base64"), alg: "RS256", use: "sig" };
}
const [idKey, accessKey] = [key(), key()];

// By grant: what Cognito calls origin_jti, shared by all tokens of one sign-in.
const origins = new Map();
const originOf = (grantId) => {
  if (!origins.has(grantId)) origins.set(grantId, randomUUID());
  return origins.get(grantId);
};
const find = (sub) => Object.entries(options.users).find(([, user]) => user.sub === sub);

const provider = new Provider(issuerUrl, {
  clients: [
    {
      client_id: options.clientId,
      client_secret: options.clientSecret,
      redirect_uris: options.redirectUris,
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "client_secret_basic",
      id_token_signed_response_alg: "RS256",
    },
  ],
  jwks: { keys: [idKey, accessKey] },
  scopes: ["openid", "email", "profile"],
  claims: {
    openid: ["sub", "cognito:username", "cognito:groups", "token_use", "origin_jti", "event_id"],
    email: ["email", "email_verified"],
    profile: ["name"],
  },
  conformIdTokenClaims: false,
  pkce: { required: () => false },
  cookies: { keys: [randomBytes(16).toString("hex")] },
  routes: {
    authorization: "/oauth2/authorize",
    token: "/oauth2/token",
    revocation: "/oauth2/revoke",
    jwks: "/oauth2/jwks",
  },
  features: {
    devInteractions: { enabled: false },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => "urn:pool",
      useGrantedResource: () => true,
      getResourceServerInfo: (_context, resource) => ({
        scope: "openid email profile",
        audience: resource,
        accessTokenTTL: options.accessTtl,
        accessTokenFormat: "jwt",
        jwt: { sign: { alg: "RS256", kid: accessKey.kid } },
      }),
    },
  },
  extraTokenClaims: (_context, token) => ({ origin_jti: originOf(token.grantId) }),
  findAccount: (context, sub) => {
    const found = find(sub);
    if (!found || found[1].disabled) return undefined;
    const [username, user] = found;
    return {
      accountId: sub,
      claims: (use) => {
        const grantId = context.oidc.entities.Grant?.jti ?? context.oidc.entities.RefreshToken?.grantId;
        const own = { sub, "cognito:username": username, email: user.email, name: username };
        if (user.groups.length > 0) own["cognito:groups"] = user.groups;
        if (use !== "id_token") return own;
        return { ...own, email_verified: true, token_use: "id", origin_jti: originOf(grantId), event_id: randomUUID() };
      },
    };
  },
  // No question of consent: at Cognito there is none.
  loadExistingGrant: async (context) => {
    const { client, session } = context.oidc;
    const known = session.grantIdFor(client.clientId) && (await provider.Grant.find(session.grantIdFor(client.clientId)));
    if (known) return known;
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope("openid email profile");
    grant.addResourceScope("urn:pool", "openid email profile");
    const resource = context.oidc.params.resource;
    if (resource) grant.addResourceScope(resource, "openid email profile");
    await grant.save();
    return grant;
  },
  interactions: { url: (_context, interaction) => `${domainUrl}/login?interaction=${interaction.uid}` },
  issueRefreshToken: () => true,
  rotateRefreshToken: false,
  ttl: {
    AccessToken: options.accessTtl, IdToken: () => options.idTtl, RefreshToken: options.refreshTtl,
    AuthorizationCode: 300, Interaction: 300, Session: 3600, Grant: options.refreshTtl,
  },
  renderError: (context, out) => {
    context.type = "html";
    context.body = `<!doctype html><title>An error was encountered</title><p>${String(out.error).replace(/\W/g, "_")}</p>`;
  },
});
provider.on("server_error", (_context, error) => console.error(error));
const core = provider.callback();
const corePort = await listen(createServer(core), 0);

// ---- tokens as Cognito writes them: an access token has an audience only where a resource was asked for (oidc-provider's own
// ---- must have one), an ID token has the hash of its access token

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const privateOf = (jwk) => createPrivateKey({ key: jwk, format: "jwk" });
const accessPublic = createPublicKey(privateOf(accessKey));
const revokedOrigins = new Set();

function cognitoAccessToken(made) {
  const { sub, aud, scope, iat, exp, jti, origin_jti } = claimsOf(made);
  const [username, user] = find(sub);
  const groups = user.groups.length > 0 ? { "cognito:groups": user.groups } : {};
  const resource = aud === "urn:pool" ? {} : { aud };
  const payload = {
    sub, ...groups, ...resource, iss: issuerUrl, version: 2, client_id: options.clientId, origin_jti, event_id: randomUUID(),
    token_use: "access", scope: scope ?? "openid", auth_time: iat, exp, iat, jti, username,
  };
  return signed(accessKey, payload);
}

function cognitoIdToken(made, accessToken) {
  const claims = claimsOf(made);
  const half = createHash("sha256").update(accessToken).digest().subarray(0, 16);
  return signed(idKey, { at_hash: half.toString("base64url"), auth_time: claims.iat, ...claims });
}

function signed(jwk, payload) {
  const text = `${encoded({ kid: jwk.kid, alg: "RS256" })}.${encoded(payload)}`;
  return `${text}.${sign("sha256", Buffer.from(text), privateOf(jwk)).toString("base64url")}`;
}

const claimsOf = (jwt) => JSON.parse(Buffer.from(jwt.split(".")[1], "base64url").toString());

function userInfo(incoming, response) {
  const [, head, body, signature] = /^Bearer ([^.]+)\.([^.]+)\.([^.]+)$/.exec(incoming.headers.authorization ?? "") ?? [];
  const good = head && verify("sha256", Buffer.from(`${head}.${body}`), accessPublic, Buffer.from(signature, "base64url"));
  const claims = good ? claimsOf(`.${body}`) : {};
  if (!good || claims.exp * 1000 < Date.now() || revokedOrigins.has(claims.origin_jti)) {
    return json(response, 401, { error: "invalid_token" });
  }
  const [username, user] = find(claims.sub);
  json(response, 200, { sub: user.sub, username, email: user.email, email_verified: "true" });
}

// ---- refresh tokens: long opaque texts of our own, so that rotation and its grace are Cognito's and not oidc-provider's

const refreshTokens = new Map();
const issueRefresh = (real, origin) => {
  const token = randomBytes(900).toString("base64url");
  refreshTokens.set(token, { real, origin, retired: Infinity });
  return token;
};

async function token(incoming, response, form) {
  const basic = incoming.headers.authorization;
  if (!basic && form.get("client_secret")) {
    // client_secret_post, which Cognito takes beside client_secret_basic.
    const pair = `${encodeURIComponent(form.get("client_id"))}:${encodeURIComponent(form.get("client_secret"))}`;
    incoming.headers.authorization = `Basic ${Buffer.from(pair).toString("base64")}`;
    form.delete("client_secret");
    form.delete("client_id");
  }
  let held;
  if (form.get("grant_type") === "refresh_token") {
    held = refreshTokens.get(form.get("refresh_token"));
    if (!held || Date.now() >= held.retired) return json(response, 400, { error: "invalid_grant" });
    form.set("refresh_token", held.real);
  }
  const answer = await through(incoming, form);
  const body = answer.json;
  if (answer.status === 200) {
    delete body.scope;
    const origin = claimsOf(body.access_token).origin_jti;
    body.access_token = cognitoAccessToken(body.access_token);
    if (body.id_token) body.id_token = cognitoIdToken(body.id_token, body.access_token);
    if (!held) {
      body.refresh_token = issueRefresh(body.refresh_token, origin);
    } else if (options.rotation) {
      held.retired = Math.min(held.retired, Date.now() + options.grace * 1000);
      body.refresh_token = issueRefresh(held.real, origin);
    } else {
      delete body.refresh_token;
    }
  } else if (body?.error) {
    // Cognito gives the code and seldom more.
    delete body.error_description;
    delete body.iss;
  }
  json(response, answer.status, body);
}

async function revoke(incoming, response, form) {
  const held = refreshTokens.get(form.get("token"));
  if (!held) {
    const isJwt = (form.get("token") ?? "").split(".").length === 3;
    return isJwt ? json(response, 400, { error: "unsupported_token_type" }) : json(response, 200, undefined);
  }
  form.set("token", held.real);
  revokedOrigins.add(held.origin);
  for (const other of refreshTokens.values()) if (other.real === held.real) other.retired = 0;
  const answer = await through(incoming, form);
  json(response, answer.status, answer.json);
}

// Lets oidc-provider answer a request with another body, over a listener of its own.
function through(incoming, form) {
  const body = form.toString();
  const headers = { ...incoming.headers, "content-length": String(Buffer.byteLength(body)) };
  return new Promise((done, failed) => {
    const sent = request({ host: "127.0.0.1", port: corePort, method: "POST", path: incoming.url, headers }, async (answer) => {
      const text = await bodyOf(answer);
      done({ status: answer.statusCode, json: text ? JSON.parse(text) : undefined });
    });
    sent.on("error", failed);
    sent.end(body);
  });
}

// ---- the two hosts

const requests = [];

async function issuerHost(request, response) {
  const path = new URL(request.url, issuerUrl).pathname;
  if (path === `/${options.pool}/.well-known/openid-configuration`) {
    return json(response, 200, {
      authorization_endpoint: `${domainUrl}/oauth2/authorize`,
      end_session_endpoint: `${domainUrl}/logout`,
      id_token_signing_alg_values_supported: ["RS256"],
      issuer: issuerUrl,
      jwks_uri: `${issuerUrl}/.well-known/jwks.json`,
      response_types_supported: ["code", "token"],
      revocation_endpoint: `${domainUrl}/oauth2/revoke`,
      scopes_supported: ["openid", "email", "phone", "profile"],
      subject_types_supported: ["public"],
      token_endpoint: `${domainUrl}/oauth2/token`,
      token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
      userinfo_endpoint: `${domainUrl}/oauth2/userInfo`,
    });
  }
  if (path === `/${options.pool}/.well-known/jwks.json`) {
    const shown = ({ kid, alg, kty, e, n, use }) => ({ alg, e, kid, kty, n, use });
    return json(response, 200, { keys: [idKey, accessKey].map(shown) });
  }
  // For the tests alone: changes options, and tells what was asked.
  if (path === "/control" && request.method === "POST") {
    Object.assign(options, JSON.parse(await bodyOf(request)));
    return json(response, 200, {});
  }
  if (path === "/control") return json(response, 200, { requests });
  json(response, 404, { message: "not found" });
}

async function domain(request, response) {
  const url = new URL(request.url, domainUrl);
  // Secrets stay out of the log of requests; that there was a grant, and which, is what tests ask for.
  const form = request.method === "POST" ? new URLSearchParams(await bodyOf(request)) : undefined;
  requests.push({ method: request.method, path: url.pathname, grant: form?.get("grant_type") ?? undefined });
  // oidc-provider makes its addresses of what the request says.
  request.headers.host = new URL(domainUrl).host;
  if (url.pathname === "/login") return login(request, response, url, form);
  if (url.pathname === "/oauth2/token") return token(request, response, form);
  if (url.pathname === "/oauth2/revoke") return revoke(request, response, form);
  if (url.pathname === "/oauth2/userInfo") return userInfo(request, response);
  if (url.pathname.startsWith("/oauth2/")) {
    withoutIss(response);
    return core(request, response);
  }
  json(response, 404, { message: "not found" });
}

// Cognito's callback has no `iss` (RFC 9207).
function withoutIss(response) {
  const set = response.setHeader.bind(response);
  response.setHeader = (name, value) => {
    if (name.toLowerCase() === "location" && !String(value).startsWith(domainUrl)) {
      const location = new URL(value);
      location.searchParams.delete("iss");
      return set(name, location.href);
    }
    return set(name, value);
  };
}

async function login(request, response, url, form) {
  // The interaction's cookie is bound to its path.
  const user = form && options.users[form.get("username")];
  if (user && form.get("password") === options.password && !user.disabled) {
    const result = { login: { accountId: user.sub } };
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }
  const problem = form ? "<p role=alert>Incorrect username or password.</p>" : "";
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
  response.end(
    `<!doctype html><title>Sign in</title>${problem}<form method="post" action="/login${url.search.replaceAll('"', "")}">` +
      `<label>Username <input name="username"></label><label>Password <input name="password" type="password"></label>` +
      `<button>Sign in</button></form>`,
  );
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function json(response, status, body) {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(body === undefined ? "" : JSON.stringify(body));
}

const { clientId, clientSecret } = options;
console.log(JSON.stringify({ issuer: issuerUrl, domain: domainUrl, clientId, clientSecret }));
