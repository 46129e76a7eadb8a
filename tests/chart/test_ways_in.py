"""Traefik and the Gateway API: the same rules as deploy/traefik, which the end-to-end tests run."""

import tomllib

import pytest
import yaml
from chart import ROOT, Refused, find, kinds, render

TRUTH = [each for each in yaml.safe_load_all((ROOT / "deploy/traefik/kubernetes.yaml").read_text()) if each]
# What deploy/traefik calls things, and what the chart does.
NAMES = {
    "edge-forward-auth": "edge-mcp-edge-forward-auth",
    "token-only": "edge-mcp-edge-token-only",
    "oauth2-proxy": "edge-mcp-edge-oauth2-proxy",
    "mcp-edge-proxy": "edge-mcp-edge-proxy",
    "plane-mcp-adapter": "edge-mcp-edge-adapter",
}


def truth(kind, name, way):
    [found] = [each for each in TRUTH if each["kind"] == kind and each["metadata"]["name"] == name
               and each["metadata"]["labels"]["mcp-edge/way"] in (way, "both")]
    return found["spec"]


def rule(route):
    """A route of an IngressRoute under the chart's names, without the proxy's port."""
    services = [{"name": NAMES.get(each["name"], each["name"]), "port": each["port"]} for each in route["services"]]
    return {
        "match": " ".join(route["match"].split()),
        "middlewares": [NAMES.get(each["name"], each["name"]) for each in route.get("middlewares", [])],
        "services": [each["name"] if each["name"] == NAMES["mcp-edge-proxy"] else each for each in services],
    }


def routes(objects):
    return [rule(route) for route in find(objects, "IngressRoute", "public")["spec"]["routes"]]


def test_inline_traefik_passes_everything_on_as_in_the_example():
    objects = render("traefik-inline")
    assert routes(objects) == [rule(truth("IngressRoute", "edge", "inline")["routes"][0])]
    assert kinds(objects, "Middleware") == []


def test_forward_auth_has_the_routes_of_the_example():
    wanted = [rule(truth("IngressRoute", name, "forward-auth")["routes"][0]) for name in ("edge", "mcp", "rest")]
    assert routes(render("traefik-forward-auth")) == wanted


@pytest.mark.parametrize("name", ["edge-forward-auth", "token-only", "oauth2-proxy"])
def test_forward_auth_has_the_middlewares_of_the_example(name):
    wanted = truth("Middleware", name, "forward-auth")
    found = find(render("traefik-forward-auth"), "Middleware", NAMES[name].removeprefix("edge-mcp-edge-"))["spec"]
    if name == "edge-forward-auth":
        assert found["forwardAuth"].pop("address") == "http://edge-mcp-edge-proxy-forward-auth.edge.svc:8081/forward-auth"
        wanted["forwardAuth"].pop("address")
    assert found == wanted


def test_the_proxys_port_of_a_route_is_that_of_its_service():
    objects = render("traefik-inline", "proxy.service.port=8000")
    [service] = find(objects, "IngressRoute", "public")["spec"]["routes"][0]["services"]
    [port] = find(objects, "Service", "proxy")["spec"]["ports"]
    assert service["port"] == port["port"] == 8000


def test_the_teams_own_middleware_may_name_the_user():
    objects = render("forward-auth-sidecar")
    mcp = find(objects, "IngressRoute", "public")["spec"]["routes"][1]
    assert mcp["middlewares"][2] == {"name": "oauth2-proxy", "namespace": "sso"}
    assert kinds(objects, "Middleware") == ["forward-auth", "token-only"]


def test_traefik_shows_its_default_certificate_unless_a_secret_is_named():
    assert find(render("forward-auth-sidecar"), "IngressRoute", "public")["spec"]["tls"] == {}
    assert find(render("traefik-inline"), "IngressRoute", "public")["spec"]["tls"] == {"secretName": "mcp-tls"}


def test_a_gateway_passes_everything_on_inline():
    spec = find(render("gateway-inline"), "HTTPRoute", "public")["spec"]
    assert spec["hostnames"] == ["mcp.example.com"]
    assert spec["rules"] == [{"backendRefs": [{"name": "edge-mcp-edge-proxy", "port": 80}]}]


def test_a_gateway_asks_in_the_same_order_as_an_ingress_route():
    signing_in, *asked = find(render("gateway-forward-auth"), "HTTPRoute", "public")["spec"]["rules"]
    assert "filters" not in signing_in
    assert [each["matches"][0]["path"]["value"] for each in asked] == ["/mcp", "/api"]
    for each in asked:
        names = [used["extensionRef"]["name"] for used in each["filters"]]
        assert names == ["edge-mcp-edge-forward-auth", "edge-mcp-edge-token-only", "oauth2-proxy"]


def test_a_gateway_sends_all_paths_of_the_authorization_server_to_the_proxy():
    rule = find(render("gateway-forward-auth"), "HTTPRoute", "public")["spec"]["rules"][0]
    exact = {match["path"]["value"] for match in rule["matches"] if match["path"]["type"] == "Exact"}
    below = {match["path"]["value"] for match in rule["matches"] if match["path"]["type"] == "PathPrefix"}
    assert exact == {"/register", "/authorize", "/consent", "/token", "/revoke", "/introspect"}
    # A gateway's prefixes are whole path segments, so that "/.well-known/oauth-" would match nothing.
    assert below == {"/.well-known/oauth-protected-resource", "/.well-known/oauth-authorization-server", "/auth", "/keys"}


def test_routes_of_api_keys_go_through_the_proxy_also_where_traefik_asks():
    objects = render("forward-auth-sidecar")
    proxy = tomllib.loads(find(objects, "ConfigMap", "proxy")["data"]["proxy.toml"])
    assert [route.get("upstream") for route in proxy["routes"]] == [None, "http://127.0.0.1:8211/mcp"]
    assert routes(objects)[2] == {
        "match": "Host(`mcp.example.com`) && (Path(`/mcp-api-key`) || PathPrefix(`/mcp-api-key/`))",
        "middlewares": [], "services": ["edge-mcp-edge-proxy"]}


def test_asked_by_traefik_the_proxy_needs_no_upstream_and_the_adapter_takes_the_public_host():
    objects = render("traefik-forward-auth")
    proxy = tomllib.loads(find(objects, "ConfigMap", "proxy")["data"]["proxy.toml"])
    adapter = tomllib.loads(find(objects, "ConfigMap", "adapter")["data"]["adapter.toml"])
    assert proxy["forward_auth"] == {"listen": "0.0.0.0:8081", "trusted_proxies": ["10.42.0.0/16"]}
    assert proxy["server"]["trusted_proxies"] == ["10.42.0.0/16"]
    assert [route.get("upstream") for route in proxy["routes"]] == [None, None]
    assert "mcp.example.com" in adapter["server"]["allowed_hosts"]


def test_the_port_that_hands_out_tokens_is_not_in_the_public_service():
    objects = render("traefik-forward-auth", 'proxy.service.type="LoadBalancer"')
    assert [port["targetPort"] for port in find(objects, "Service", "proxy")["spec"]["ports"]] == [8080]
    assert find(objects, "Service", "proxy-forward-auth")["spec"].get("type", "ClusterIP") == "ClusterIP"


def test_inline_the_proxy_sends_mcp_to_the_adapter_and_names_what_stands_before_it():
    objects = render("everything")
    proxy = tomllib.loads(find(objects, "ConfigMap", "proxy")["data"]["proxy.toml"])
    assert [route["upstream"] for route in proxy["routes"]] == [
        "http://edge-mcp-edge-adapter:8211/mcp", "http://edge-mcp-edge-adapter:8211/mcp", "https://plane.example.com"]
    assert proxy["server"]["trusted_proxies"] == ["10.0.0.7", "10.0.1.0/28"]
    assert "forward_auth" not in proxy


@pytest.mark.parametrize(("scenario_", "override", "said"), [
    ("traefik-inline", 'tls.terminatedBy="proxy"', "terminatedBy: front"),
    ("traefik-inline", 'expose.rest={"path":"/api/","service":{"name":"plane","port":80}}', "expose.rest"),
    ("traefik-forward-auth", "forwardAuth.trustedProxies=[]", "forwardAuth.trustedProxies"),
    ("traefik-forward-auth", "networkPolicy.traefik=[]", "networkPolicy.traefik"),
    ("traefik-forward-auth", 'expose.oauth2Proxy.address=""', "address or existingMiddleware"),
    ("gateway-inline", "expose.parentRefs=[]", "expose.parentRefs"),
    ("gateway-forward-auth", 'expose.oauth2Proxy.existingMiddleware.namespace="sso"', "its own namespace"),
    ("sidecar", 'tls.certManager={"enabled":true,"issuerRef":null}', "tls.certManager.issuerRef"),
    ("smallest", 'proxy.routes=[{"path":"/api","kind":"http"}]', "/api needs an upstream"),
])
def test_what_could_not_work_is_refused_with_words(scenario_, override, said):
    with pytest.raises(Refused) as refused:
        render(scenario_, override)
    assert said in str(refused.value)
