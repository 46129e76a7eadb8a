"""Traefik's own binary loads the rendered routes from a real Kubernetes API, and leads requests by them to the real proxy."""

import base64
import os
import subprocess

import pytest
from chart import find, free_port
from edge import running_proxy
from network import network
from traefik import CLASS, endpoint_slice, gateway, pod_addresses, running, slices

INLINE = ["traefik-inline", "gateway-inline"]
ASKED = ["traefik-forward-auth", "forward-auth-sidecar", "gateway-forward-auth"]
# The requests come from this machine, not from a pod.
HERE = ['proxy.trustedProxies=["127.0.0.1"]']
OAUTH2_PROXY = {"apiVersion": "traefik.io/v1alpha1", "kind": "Middleware", "metadata": {"name": "oauth2-proxy"},
                "spec": {"forwardAuth": {"address": "http://oauth2-proxy.sso:4180/oauth2/auth"}}}


@pytest.fixture(scope="module")
def team(cluster, etc):
    """What a team has already: a gateway's namespace, and its Middleware of oauth2-proxy."""
    for namespace in ("gateways", "sso"):
        cluster.namespace(namespace)
    cluster.kubectl("create", "-f", "-", objects=[CLASS, certificate("public", "gateways", etc)])
    cluster.kubectl("create", "-n", "sso", "-f", "-", objects=[OAUTH2_PROXY])


def certificate(name, namespace, etc):
    """A Secret with the certificate of mcp.example.com."""
    data = {key: base64.b64encode((etc / "tls" / key).read_bytes()).decode() for key in ("tls.crt", "tls.key")}
    return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": name, "namespace": namespace},
            "data": data}


def installed(cluster, scenario, namespace, etc, overrides=()):
    """The objects of an installation, with everything beside it that a cluster would have."""
    cluster.namespace(namespace)
    cluster.helm("install", namespace, scenario=scenario, overrides=overrides)
    objects = cluster.objects(namespace)
    plane = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "plane"}, "spec": {"ports": [{"name": "http", "port": 80}]}}
    beside = [*slices(objects), plane, endpoint_slice("plane", "10.42.0.9", [{"name": "http", "port": 80, "protocol": "TCP"}])]
    cluster.kubectl("create", "-n", namespace, "-f", "-", objects=[*beside, certificate("mcp-tls", namespace, etc)])
    if scenario == "gateway-forward-auth":
        cluster.kubectl("create", "-n", namespace, "-f", "-", objects=[OAUTH2_PROXY])
    return objects


def wanted(objects):
    """How many routers Traefik has to make of them, and the names of the middlewares."""
    middlewares = {each["metadata"]["name"] for each in objects if each["kind"] == "Middleware"}
    for each in objects:
        if each["kind"] == "IngressRoute":
            return len(each["spec"]["routes"]), middlewares
        if each["kind"] == "HTTPRoute":
            return sum(len(rule.get("matches", [{}])) for rule in each["spec"]["rules"]), middlewares
    raise AssertionError("no routes")


@pytest.mark.parametrize("name", INLINE + ASKED)
def test_traefik_takes_every_rendered_route_middleware_and_service(cluster, team, etc, tmp_path, name):
    namespace, port = f"load-{name}", free_port()
    objects = installed(cluster, name, namespace, etc)
    cluster.kubectl("apply", "-f", "-", objects=[gateway(port, "public")])
    routers, middlewares = wanted(objects)
    with running(cluster, [namespace, "sso", "gateways"], tmp_path, port, more=allowed(name)) as traefik:
        for router in traefik.wait_loaded(routers):
            assert router["status"] == "enabled" and "error" not in router, router
            assert router["entryPoints"] == ["websecure"] and "tls" in router, router
        found = traefik.loaded("middlewares")
        assert all(each["status"] == "enabled" and "error" not in each for each in found), found
        assert all(any(name in each["name"] for each in found) for name in middlewares), found
        services = traefik.loaded("services")
        assert all(each["status"] == "enabled" and "error" not in each for each in services), services
        servers = {server["url"] for each in services for server in each.get("loadBalancer", {}).get("servers", [])}
        assert servers == backends(objects)
        assert traefik.errors() == []


def allowed(name):
    """What the values say that Traefik must allow."""
    return ["--providers.kubernetescrd.allowcrossnamespace=true"] if name == "forward-auth-sidecar" else []


def backends(objects):
    """Where Traefik has to send requests: the pods behind the Services that routes name."""
    routes = [each for each in objects if each["kind"] in ("IngressRoute", "HTTPRoute")]
    named = {(each["name"], each["port"]) for route in routes for rule in route["spec"].get("routes", route["spec"].get("rules"))
             for each in rule.get("services", rule.get("backendRefs"))}
    urls = {"http://10.42.0.9:80"} if ("plane", 80) in named else set()
    for service in (each for each in objects if each["kind"] == "Service"):
        for port in service["spec"]["ports"]:
            if (service["metadata"]["name"], port["port"]) in named:
                urls |= {f"http://{address}:{port['targetPort']}" for address, labels, _ in pod_addresses(objects)
                         if service["spec"]["selector"].items() <= labels.items()}
    assert urls
    return urls


def ask(port, path, *more):
    """Status line, head and body of a request for the public host, as a client sends it."""
    command = ["curl", "-sSi", "--insecure", "--noproxy", "*", "--connect-to", f"mcp.example.com:443:127.0.0.1:{port}", *more]
    done = subprocess.run([*command, f"https://mcp.example.com{path}"], capture_output=True, text=True, check=False,
                          env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", INLINE + ASKED)
def test_a_request_comes_by_the_rendered_route_to_the_real_proxy(cluster, team, etc, tmp_path, name):
    namespace, port = f"ask-{name}", free_port()
    asked = name in ASKED
    overrides = [*HERE, 'forwardAuth.trustedProxies=["127.0.0.1"]'] if asked else HERE
    objects = installed(cluster, name, namespace, etc, overrides)
    cluster.kubectl("apply", "-f", "-", objects=[gateway(port, "public")])
    [address] = [address for address, labels, _ in pod_addresses(objects) if labels["app.kubernetes.io/component"] == "proxy"]
    public, auth = f"{address}:8080", f"edge-mcp-edge-proxy-forward-auth.{namespace}.svc:8081"
    with running_proxy(objects, etc) as ports, network({public: ports["8080"], auth: ports["8081"]}) as (http_proxy, hops):
        spaces = [namespace, "sso", "gateways"]
        with running(cluster, spaces, tmp_path, port, http_proxy, allowed(name)) as traefik:
            traefik.wait_loaded(wanted(objects)[0])
            found = ask(port, "/.well-known/oauth-protected-resource/mcp")
            assert " 200" in found.split("\r\n")[0] and '"resource":"https://mcp.example.com/mcp"' in found, found
            assert hops == [public]
            refused = ask(port, "/mcp", "--json", "{}")
            assert " 401" in refused.split("\r\n")[0], refused
            assert 'resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"' in refused
            assert set(hops) == {public, auth} if asked else {public}
