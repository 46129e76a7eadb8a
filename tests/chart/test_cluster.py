"""The chart at a real Kubernetes API, in namespaces that take only pods of the restricted standard."""

import copy
import os
import re
import subprocess

import pytest
import yaml
from chart import CHART, HELM, ROOT, Refused, find, pods, render
from cluster import KUBECTL


def rendered(cluster, namespace, scenario):
    """What `helm template` gives: the text, and its objects."""
    text, _ = cluster.helm("template", namespace, scenario=scenario)
    return text, [each for each in yaml.safe_load_all(text) if each]


@pytest.mark.parametrize("side", ["client", "server"])
def test_what_is_rendered_can_be_applied_without_an_error_or_a_warning(cluster, scenario, side):
    namespace = cluster.namespace(f"apply-{side}-{scenario}")
    text, objects = rendered(cluster, namespace, scenario)
    said, warned = cluster.kubectl("apply", f"--dry-run={side}", "-f", "-", text=text)
    assert warned == ""
    done = "dry run" if side == "client" else "server dry run"
    assert said.count(f" created ({done})") == len(objects), said


def test_the_examples_for_traefik_without_the_chart_can_be_applied_too(cluster):
    namespace = cluster.namespace("examples")
    said, warned = cluster.kubectl("apply", "--dry-run=server", "-n", namespace, "-f", ROOT / "deploy/traefik/kubernetes.yaml")
    assert warned == "" and said.count(" created (server dry run)") == said.count("\n") > 5


@pytest.mark.parametrize(("name", "kind", "part"), [
    ("traefik-forward-auth", "IngressRoute", "public"), ("traefik-forward-auth", "Middleware", "token-only"),
    ("gateway-inline", "HTTPRoute", "public"), ("everything", "ServiceMonitor", "metrics"), ("sidecar", "Certificate", "tls")])
def test_a_key_that_a_custom_resource_does_not_have_would_be_refused(cluster, name, kind, part):
    made = find(render(name), kind, part)
    made["metadata"]["namespace"] = "default"
    made["spec"]["typo"] = True
    with pytest.raises(Refused, match='unknown field "typo"'):
        cluster.kubectl("apply", "--dry-run=server", "-f", "-", objects=[made])


def test_helm_installs_it_upgrades_it_and_takes_it_away(cluster, scenario):
    namespace = cluster.namespace(f"install-{scenario}")
    assert cluster.helm("install", namespace, "--dry-run=server", scenario=scenario)[1] == ""
    said, warned = cluster.helm("install", namespace, scenario=scenario)
    assert warned == "" and "STATUS: deployed" in said
    secrets = cluster.secrets(namespace)
    changed = ['proxy.podAnnotations={"example.com/changed":"yes"}']
    said, warned = cluster.helm("upgrade", namespace, scenario=scenario, overrides=changed)
    assert warned == "" and "REVISION: 2" in said
    template = cluster.get("deployment", namespace, "edge-mcp-edge-proxy")["spec"]["template"]
    assert template["metadata"]["annotations"]["example.com/changed"] == "yes"
    assert cluster.secrets(namespace) == secrets
    objects, _ = cluster.helm("get manifest", namespace)
    cluster.helm("uninstall", namespace)
    left, _ = cluster.kubectl("get", "-n", namespace, "-f", "-", "--ignore-not-found", "-o", "name", text=objects)
    # What sessions need is kept; the next installation of that name takes it.
    assert set(left.split()) == {f"secret/{name}" for name in secrets}
    cluster.helm("install", namespace, scenario=scenario)
    assert cluster.secrets(namespace) == secrets


def test_every_pod_is_admitted_where_only_the_restricted_standard_is(cluster, scenario):
    namespace = cluster.namespace(f"pods-{scenario}")
    objects = rendered(cluster, namespace, scenario)[1]
    cluster.kubectl("create", "-f", "-", objects=[each for each in objects if each["kind"] == "ServiceAccount"])
    made = [{"apiVersion": "v1", "kind": "Pod", "spec": spec, "metadata": {"name": name, "namespace": namespace, "labels": labels}}
            for name, labels, spec in pods(objects)]
    for pod in made:
        # A StatefulSet adds the volumes of its claims.
        there = {each["name"] for each in pod["spec"].get("volumes", [])}
        mounted = {each["name"] for each in pod["spec"]["containers"][0].get("volumeMounts", [])}
        pod["spec"].setdefault("volumes", []).extend({"name": name, "emptyDir": {}} for name in mounted - there)
    said, warned = cluster.kubectl("create", "-f", "-", objects=made)
    assert warned == "" and said.count(" created") == len(made)
    lax = copy.deepcopy(made[0])
    lax["metadata"]["name"] = "lax"
    lax["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    with pytest.raises(Refused, match='violates PodSecurity "restricted:latest"'):
        cluster.kubectl("create", "-f", "-", objects=[lax])


def commands():
    """The commands of the README's part about Kubernetes."""
    part = (ROOT / "README.md").read_text().split("\n## On Kubernetes\n")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", part, re.DOTALL)


def test_the_commands_of_the_readme_install_it(cluster, tmp_path):
    (tmp_path / "values.yaml").write_text((CHART / "ci/smallest-values.yaml").read_text())
    (tmp_path / "tls.crt").write_text(cluster.authority.read_text())
    (tmp_path / "tls.key").write_text(cluster.authority.with_suffix(".key").read_text())
    (tmp_path / "helm").symlink_to(ROOT / "helm")
    (tmp_path / "bin").mkdir()
    for name, program in (("helm", HELM), ("kubectl", KUBECTL)):
        # As they are called there; kubectl goes by the name it is started with.
        (tmp_path / "bin" / name).write_text(f'#!/bin/sh\nexec {program} "$@"\n')
        (tmp_path / "bin" / name).chmod(0o755)
    env = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "HOME": str(tmp_path), "KUBECONFIG": str(cluster.config)}
    for block in commands():
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=tmp_path, env=env, capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0 and done.stderr == "", block + done.stderr
    assert cluster.get("deployment", "mcp-edge", "edge-mcp-edge-proxy")
