"""A stub of a cluster, for what Helm does only where it has one."""

import base64
import contextlib
import http.server
import json
import os
import subprocess
import threading

import yaml
from chart import CHART, HELM, Refused


# Every kind of the chart; custom resources as where Traefik, a gateway and cert-manager are installed.
KINDS = {
    "v1": ["ConfigMap", "Pod", "Secret", "Service"],
    "apps/v1": ["Deployment", "StatefulSet"],
    "autoscaling/v2": ["HorizontalPodAutoscaler"],
    "networking.k8s.io/v1": ["NetworkPolicy"],
    "policy/v1": ["PodDisruptionBudget"],
    "traefik.io/v1alpha1": ["IngressRoute", "Middleware"],
    "gateway.networking.k8s.io/v1": ["HTTPRoute"],
    "cert-manager.io/v1": ["Certificate"],
    "monitoring.coreos.com/v1": ["PrometheusRule", "ServiceMonitor"],
}


def plural(kind):
    """`networkpolicies` of `NetworkPolicy`."""
    word = kind.lower()
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"


class Api(http.server.BaseHTTPRequestHandler):
    """As much of a Kubernetes API as Helm's `lookup` asks."""

    secrets = {}

    def do_GET(self):
        path = self.path.split("?")[0]
        name = path.rsplit("/", 1)[-1]
        code, body = 404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
        if path == "/version":
            code, body = 200, {"major": "1", "minor": "30", "gitVersion": "v1.30.0"}
        elif path == "/api":
            code, body = 200, {"kind": "APIVersions", "versions": ["v1"]}
        elif path == "/apis":
            named = [each.split("/") for each in KINDS if "/" in each]
            groups = [{"name": group, "versions": [{"groupVersion": f"{group}/{version}", "version": version}],
                       "preferredVersion": {"groupVersion": f"{group}/{version}", "version": version}} for group, version in named]
            code, body = 200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        elif path.removeprefix("/apis/").removeprefix("/api/") in KINDS:
            version = path.removeprefix("/apis/").removeprefix("/api/")
            resources = [{"name": plural(kind), "singularName": kind.lower(), "namespaced": True, "kind": kind,
                          "verbs": ["get", "list"]} for kind in KINDS[version]]
            code, body = 200, {"kind": "APIResourceList", "groupVersion": version, "resources": resources}
        elif path == f"/api/v1/namespaces/edge/secrets/{name}" and name in self.secrets:
            data = {key: base64.b64encode(value.encode()).decode() for key, value in self.secrets[name].items()}
            code, body = 200, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "edge"}, "data": data}
        text = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Cluster:
    """Renders against secrets that earlier renderings made."""

    def __init__(self, folder, handler, port):
        self._folder, self._handler, self._config = folder, handler, folder / "kubeconfig"
        self._config.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "stub", "users": [{"name": "stub", "user": {}}],
            "clusters": [{"name": "stub", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "contexts": [{"name": "stub", "context": {"cluster": "stub", "user": "stub"}}]}))

    def _helm(self, command, scenario, *more):
        done = subprocess.run(
            [HELM, *command, "edge", CHART, "-n", "edge", "--kubeconfig", self._config,
             "-f", CHART / f"ci/{scenario}-values.yaml", *more],
            capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"], "HOME": str(self._folder)})
        if done.returncode != 0:
            raise Refused(done.stderr)
        return done.stdout

    def upgrade(self, scenario, *overrides):
        """The objects of one more rendering, whose secrets are in the cluster from then on."""
        more = [part for each in overrides for part in ("--set-json", each)]
        said = self._helm(["template"], scenario, "--is-upgrade", "--dry-run=server", "--kube-version", "1.30.0", *more)
        objects = [each for each in yaml.safe_load_all(said) if each]
        for each in objects:
            if each["kind"] == "Secret":
                self._handler.secrets[each["metadata"]["name"]] = each["stringData"]
        return objects

    def notes(self, scenario):
        """What an installation says at its end."""
        said = self._helm(["install"], scenario, "--dry-run=client", "--disable-openapi-validation")
        return said.split("\nNOTES:\n")[1]


@contextlib.contextmanager
def running(folder):
    """A cluster without anything in it."""
    handler = type("ThisApi", (Api,), {"secrets": {}})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Cluster(folder, handler, server.server_port)
    server.shutdown()
