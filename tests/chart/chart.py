"""Renders the chart as Helm does, and finds things in what comes out."""

import copy
import functools
import json
import os
import socket
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm/mcp-edge"
HELM = os.environ.get("HELM", str(ROOT / "target/tools/bin/helm"))
PROGRAMS = Path(os.environ.get("PROGRAMS", ROOT / "target/debug"))
SCENARIOS = sorted((CHART / "ci").glob("*-values.yaml"))
OLDEST, MIDDLE, NEWEST = "1.30.0", "1.33.0", "1.37.0"


class Refused(Exception):
    """Helm did not render; the text is what it said."""


def helm(*arguments):
    """One rendering; Helm's own environment is kept away."""
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    command = [HELM, "template", "edge", str(CHART), "--namespace", "edge", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if done.returncode != 0:
        raise Refused(done.stderr)
    return [each for each in yaml.safe_load_all(done.stdout) if each]


@functools.cache
def _scenario(name, kube, overrides):
    values = str(CHART / f"ci/{name}-values.yaml")
    more = [part for each in json.loads(overrides) for part in ("--set-json", each)]
    return helm("--kube-version", kube, "--values", values, *more)


def render(scenario, *overrides, kube=OLDEST):
    """The objects of a scenario of helm/mcp-edge/ci, with `overrides` such as `proxy.replicas=1` over it."""
    return copy.deepcopy(_scenario(scenario, kube, json.dumps(overrides)))


def find(objects, kind, name):
    """The object called `name` behind the release's `edge-mcp-edge-`."""
    found = [each for each in objects if each["kind"] == kind and each["metadata"]["name"] == f"edge-mcp-edge-{name}".removesuffix("-")]
    assert len(found) == 1, f"{kind} {name}: {[each['metadata']['name'] for each in objects if each['kind'] == kind]}"
    return found[0]


def kinds(objects, kind):
    """The names of all objects of a kind, without the release's prefix."""
    return sorted(each["metadata"]["name"].removeprefix("edge-mcp-edge-") for each in objects if each["kind"] == kind)


def pods(objects):
    """Every pod there will be: (name, labels, spec)."""
    for each in objects:
        if each["kind"] in ("Deployment", "StatefulSet"):
            template = each["spec"]["template"]
            yield each["metadata"]["name"], template["metadata"]["labels"], template["spec"]
        if each["kind"] == "Pod":
            yield each["metadata"]["name"], each["metadata"]["labels"], each["spec"]


def containers(spec):
    """All containers of a pod, sidecars among them."""
    return spec.get("initContainers", []) + spec["containers"]


def scenario_name(path):
    """`smallest` of `ci/smallest-values.yaml`."""
    return path.name.removesuffix("-values.yaml")


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
