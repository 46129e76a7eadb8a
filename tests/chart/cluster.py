"""A real Kubernetes API on loopback: etcd, the API server with all that it admits and refuses, and the custom resources of
Traefik, the Gateway API, Prometheus' operator and cert-manager. Without controllers and nodes: nothing runs in it."""

import base64
import contextlib
import json
import os
import secrets
import subprocess
import time
from pathlib import Path

import yaml
from chart import CHART, HELM, ROOT, Refused, free_port

TOOLS = ROOT / "target/tools"
KUBECTL = os.environ.get("KUBECTL", str(TOOLS / "bin/kubectl"))
CRDS = Path(os.environ.get("CRDS", TOOLS / "crds"))
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
PATIENCE = 120


def wait_until(what, probe, log=None):
    """The first true answer of `probe`."""
    deadline = time.monotonic() + PATIENCE
    while not (found := probe()):
        said = log.read_text()[-4000:] if log else ""
        assert time.monotonic() < deadline, f"not {what} after {PATIENCE} s {said}"
        time.sleep(0.05)
    return found


class Cluster:
    """An API server; namespaces of it are the tests'."""

    def __init__(self, folder, port, token):
        self.folder, self.port, self.token = folder, port, token
        self.authority = folder / "certificates/apiserver.crt"
        self.config = folder / "kubeconfig"
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(self.authority)}
        self.config.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "tests",
            "users": [{"name": "tests", "user": {"token": token}}], "clusters": [{"name": "tests", "cluster": cluster}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}]}))

    def _run(self, command, text=None):
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "KUBECONFIG": str(self.config)}
        return subprocess.run([str(each) for each in command], input=text, capture_output=True, text=True, check=False, env=env)

    def kubectl(self, *arguments, objects=None, text=None):
        """(what it said, what it warned of)."""
        given = text if objects is None else json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        done = self._run([KUBECTL, *arguments], given)
        if done.returncode != 0:
            raise Refused(done.stderr)
        return done.stdout, done.stderr

    def get(self, kind, namespace, name=None):
        """One object, or all of a kind."""
        found = json.loads(self.kubectl("get", kind, *([name] if name else []), "-n", namespace, "-o", "json")[0])
        return found if name else found["items"]

    def helm(self, command, namespace, *arguments, scenario=None, overrides=()):
        """(what it said, what it warned of) of `helm COMMAND edge` in a namespace."""
        given = [CHART, "-f", CHART / f"ci/{scenario}-values.yaml"] if scenario else []
        more = [part for each in overrides for part in ("--set-json", each)]
        done = self._run([HELM, *command.split(), "edge", *given, "-n", namespace, *more, *arguments])
        if done.returncode != 0:
            raise Refused(done.stderr)
        return done.stdout, done.stderr

    def notes(self, scenario):
        """What an installation says at its end."""
        return self.helm("install", "edge", "--dry-run=client", scenario=scenario)[0].split("\nNOTES:\n")[1]

    def objects(self, namespace):
        """What Helm has installed there."""
        return [each for each in yaml.safe_load_all(self.helm("get manifest", namespace)[0]) if each]

    def namespace(self, name):
        """A namespace that takes only pods of the restricted standard, with what controllers would put into it."""
        self.kubectl("create", "-f", "-", objects=[
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}},
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}])
        return name

    def secrets(self, namespace):
        """Every Secret that is not Helm's own: its keys and values."""
        kept = [each for each in self.get("secrets", namespace) if each["type"] != "helm.sh/release.v1"]
        return {each["metadata"]["name"]: {key: base64.b64decode(value).decode() for key, value in each["data"].items()}
                for each in kept}


def _etcd(folder, port):
    url, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}"
    return ["--data-dir", folder / "etcd", "--unsafe-no-fsync", "--listen-client-urls", url, "--advertise-client-urls", url,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"]


def _api_server(folder, port, store):
    key = folder / "accounts.key"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    return ["--etcd-servers", f"http://127.0.0.1:{store}", "--bind-address", "127.0.0.1", "--secure-port", port,
            "--advertise-address", "127.0.0.1", "--endpoint-reconciler-type", "none", "--cert-dir", folder / "certificates",
            "--token-auth-file", folder / "tokens.csv", "--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.43.0.0/16",
            "--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", key,
            "--service-account-signing-key-file", key]


@contextlib.contextmanager
def _program(name, arguments, folder):
    log = folder / f"{name}.log"
    with log.open("w") as output:
        process = subprocess.Popen([str(each) for each in (Path(KUBECTL).parent / name, *arguments)], env={"HOME": str(folder)},
                                   cwd=folder, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        yield log
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()


@contextlib.contextmanager
def running(folder):
    """A cluster with the custom resources, and nothing in it."""
    store, port, token = free_port(), free_port(), secrets.token_hex(16)
    (folder / "tokens.csv").write_text(f"{token},tests,tests,system:masters\n")
    with (_program("etcd", _etcd(folder, store), folder), _program("kube-apiserver", _api_server(folder, port, store), folder) as log):
        cluster = Cluster(folder, port, token)

        def ready():
            with contextlib.suppress(Refused):
                return cluster.kubectl("get", "--raw", "/readyz")[0] == "ok"
        wait_until("ready", ready, log)
        cluster.kubectl("create", "-f", CRDS)
        cluster.kubectl("wait", "crd", "--all", "--for=condition=Established", f"--timeout={PATIENCE}s")
        yield cluster
