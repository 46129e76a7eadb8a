"""Traefik's own binary, told of an API server as in a cluster."""

import contextlib
import json
import os
import subprocess
import urllib.request

from chart import ROOT, containers, free_port, pods
from cluster import wait_until

TRAEFIK = os.environ.get("TRAEFIK", str(ROOT / "target/tools/bin/traefik"))
CLASS = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "traefik"},
         "spec": {"controllerName": "traefik.io/gateway-controller"}}


def pod_addresses(objects):
    """The address of a pod of each part, by the labels that Services find it by."""
    found = [(name, labels, spec) for name, labels, spec in pods(objects) if not name.endswith("-test")]
    return [(f"10.42.0.{number}", labels, spec) for number, (_, labels, spec) in enumerate(found, start=10)]


def slices(objects):
    """What the endpoint controller makes of the Services: one ready pod of each."""
    for service in (each for each in objects if each["kind"] == "Service"):
        selector = service["spec"]["selector"].items()
        [(address, spec)] = [(address, spec) for address, labels, spec in pod_addresses(objects) if selector <= labels.items()]
        named = {port.get("name"): port["containerPort"] for container in containers(spec) for port in container["ports"]}
        ports = [{"name": port["name"], "port": named.get(port["targetPort"], port["targetPort"]), "protocol": "TCP"}
                 for port in service["spec"]["ports"]]
        yield endpoint_slice(service["metadata"]["name"], address, ports)


def endpoint_slice(service, address, ports):
    """An EndpointSlice with one address."""
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "ports": ports,
            "metadata": {"name": f"{service}-1", "labels": {"kubernetes.io/service-name": service}},
            "endpoints": [{"addresses": [address], "conditions": {"ready": True, "serving": True}}]}


def gateway(port, certificate):
    """The gateway that the examples name, with one listener."""
    listener = {"name": "https", "protocol": "HTTPS", "port": port, "allowedRoutes": {"namespaces": {"from": "All"}},
                "tls": {"mode": "Terminate", "certificateRefs": [{"name": certificate}]}}
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "public", "namespace": "gateways"},
            "spec": {"gatewayClassName": "traefik", "listeners": [listener]}}


class Traefik:
    """A running one."""

    def __init__(self, port, admin, log):
        self.port, self._admin, self.log = port, admin, log

    def loaded(self, what):
        """All routers, middlewares or services of the providers."""
        url = f"http://127.0.0.1:{self._admin}/api/http/{what}?per_page=1000"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return [each for each in json.load(answer) if each["provider"] != "internal"]
        except OSError:
            return []

    def wait_loaded(self, routers):
        """Waits until there are so many routers, and gives them."""
        wait_until(f"{routers} routers", lambda: len(self.loaded("routers")) == routers, self.log)
        return self.loaded("routers")

    def errors(self):
        """What its log complains of."""
        return [line for line in self.log.read_text().splitlines() if '"level":"error"' in line or '"level":"fatal"' in line]


@contextlib.contextmanager
def running(cluster, namespaces, folder, port, http_proxy="", more=()):
    """Traefik with the routes of some namespaces, listening at `port`."""
    admin, log = free_port(), folder / "traefik.log"
    command = [TRAEFIK, "--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=INFO", "--log.format=json",
               "--api.insecure=true", f"--entrypoints.traefik.address=127.0.0.1:{admin}",
               f"--entrypoints.websecure.address=127.0.0.1:{port}", "--entrypoints.websecure.http.aliasheadersstrategy=delete", *more]
    for provider in ("kubernetescrd", "kubernetesgateway"):
        command += [f"--providers.{provider}", f"--providers.{provider}.namespaces={','.join(namespaces)}",
                    f"--providers.{provider}.endpoint=https://127.0.0.1:{cluster.port}",
                    f"--providers.{provider}.token={cluster.token}", f"--providers.{provider}.certauthfilepath={cluster.authority}"]
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=folder, env={"HTTP_PROXY": http_proxy})
    try:
        yield Traefik(port, admin, log)
    finally:
        process.kill()
        process.wait()
