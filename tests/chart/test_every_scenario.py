"""What holds in every way to run it."""

import json
import subprocess
import tomllib

import kubernetes_validate
import pytest
from chart import CHART, MIDDLE, NEWEST, OLDEST, PROGRAMS, containers, find, kinds, pods, render

CUSTOM = {"traefik.io/v1alpha1", "gateway.networking.k8s.io/v1", "cert-manager.io/v1", "monitoring.coreos.com/v1"}


@pytest.mark.parametrize("kube", [OLDEST, MIDDLE, NEWEST])
def test_every_object_fits_the_schemas_of_kubernetes(scenario, kube):
    for each in render(scenario, kube=kube):
        if each["apiVersion"] not in CUSTOM:
            kubernetes_validate.validate(each, kube.removesuffix(".0"), strict=True)


def test_the_schemas_would_refuse_a_typo():
    deployment = find(render("smallest"), "Deployment", "proxy")
    deployment["spec"]["template"]["spec"]["terminationGraceSeconds"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, "1.30", strict=True)


def test_every_pod_meets_the_restricted_standard(scenario):
    for name, _, spec in pods(render(scenario)):
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True and context["runAsUser"] > 0, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")), name
        allowed = {"name", "configMap", "secret", "emptyDir", "persistentVolumeClaim", "projected", "downwardAPI", "csi", "ephemeral"}
        assert all(set(volume) <= allowed for volume in spec.get("volumes", [])), name
        for container in containers(spec):
            limits = container["securityContext"]
            assert limits["allowPrivilegeEscalation"] is False, name
            assert limits["capabilities"] == {"drop": ["ALL"]}, name
            assert not limits.get("privileged"), name
            assert not any("hostPort" in port for port in container.get("ports", [])), name


def test_no_container_can_write_to_its_image_or_sees_a_token_of_the_cluster(scenario):
    for name, _, spec in pods(render(scenario)):
        assert spec["automountServiceAccountToken"] is False, name
        for container in containers(spec):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name


def test_every_server_has_three_probes_and_says_what_it_needs(scenario):
    for name, _, spec in pods(render(scenario)):
        for container in containers(spec):
            assert container["resources"]["requests"] and container["resources"]["limits"]["memory"], name
            if not name.endswith("-test"):
                assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container), name


def test_every_mounted_volume_is_there_and_no_other(scenario):
    for name, _, spec in pods(render(scenario, "proxy.extraVolumes=[]", "proxy.extraVolumeMounts=[]")):
        mounted = {mount["name"] for container in containers(spec) for mount in container.get("volumeMounts", [])}
        there = {volume["name"] for volume in spec.get("volumes", [])}
        assert mounted - {"data"} == there, name


def test_every_service_reaches_a_port_that_a_pod_has(scenario):
    objects = render(scenario)
    services = [each for each in objects if each["kind"] == "Service"]
    assert services
    for service in services:
        selector = service["spec"]["selector"].items()
        behind = [spec for _, labels, spec in pods(objects) if selector <= labels.items()]
        assert len(behind) == 1, service["metadata"]["name"]
        open_ports = {port["containerPort"] for container in containers(behind[0]) for port in container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= open_ports


def test_every_policy_is_about_a_pod_and_a_port_that_are_there(scenario):
    objects = render(scenario)
    policies = [each for each in objects if each["kind"] == "NetworkPolicy"]
    assert policies
    for policy in policies:
        selector = policy["spec"]["podSelector"]["matchLabels"].items()
        behind = [spec for _, labels, spec in pods(objects) if selector <= labels.items()]
        assert len(behind) == 1, policy["metadata"]["name"]
        open_ports = {port["containerPort"] for container in containers(behind[0]) for port in container["ports"]}
        assert {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]} <= open_ports


def check(program, text, etc, **env):
    """What `check` says of a rendered file, and how it ends."""
    path = etc / "config.toml"
    path.write_text(text.replace("/etc/mcp-edge/", f"{etc}/"))
    done = subprocess.run([PROGRAMS / program, "--config", path, "check"], capture_output=True, text=True, env=env, check=False)
    return done.returncode, done.stdout + done.stderr


def kinds_of_settings(table):
    """Of each key its kind, as JSON has it."""
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "strings"}
    return {key: kinds[type(value)] for key, value in table.items()}


def assert_the_schema_has(program, said):
    """Values may set every setting that `check` prints, and no other. Secrets it does not print: they stand in no file."""
    part = json.loads((CHART / "values.schema.json").read_text())["properties"][program]["properties"]["config"]
    assert part["additionalProperties"] is False
    known = {}
    for name, section in part["properties"].items():
        assert section["additionalProperties"] is False, name
        known[name] = {key: kind.get("type") or kind["$ref"].rsplit("/", 1)[-1] for key, kind in section["properties"].items()}
    in_force = tomllib.loads(said)
    in_force.pop("routes", None)
    # Printed without its password; here it comes from a Secret.
    in_force.get("valkey", {}).pop("url", None)
    assert known == {name: kinds_of_settings(section) for name, section in in_force.items()}, f"values.schema.json: {program}.config"


def assert_a_stop_has_the_time(objects, name, said, after):
    """By the settings in force, the programs' own defaults among them: the chart reckons with them."""
    in_force = tomllib.loads(said)
    deployment = find(objects, "Deployment", name)["spec"]["template"]["spec"]
    [container] = [each for each in deployment["containers"] if "lifecycle" in each]
    stop = in_force["server"]["shutdown_delay_seconds"] + in_force["server"]["drain_seconds"] + after(in_force)
    assert deployment["terminationGracePeriodSeconds"] >= container["lifecycle"]["preStop"]["sleep"]["seconds"] + stop


def test_the_proxy_takes_its_configuration(scenario, etc):
    objects = render(scenario)
    text = find(objects, "ConfigMap", "proxy")["data"]["proxy.toml"]
    url = "rediss://edge:password@valkey:6380/0"
    secrets = kinds(objects, "Secret")
    if "vault" in secrets:
        (etc / "vault/keys").write_text(find(objects, "Secret", "vault")["stringData"]["keys"])
    if "valkey" in secrets:
        url = find(objects, "Secret", "valkey")["stringData"]["url"]
    code, said = check("mcp-edge-proxy", text, etc, PROXY_VALKEY__URL=url)
    assert code == 0, said
    assert_the_schema_has("proxy", said)
    assert_a_stop_has_the_time(
        objects, "proxy", said, lambda told: told["vault"]["refresh_lock_seconds"] + 65 + 2 * told["cognito"]["timeout_seconds"])
    assert tomllib.loads(text)["server"]["public_url"] == "https://mcp.example.com"


def test_the_adapter_takes_its_configuration(scenario, etc):
    objects = render(scenario)
    text = find(objects, "ConfigMap", "adapter")["data"]["adapter.toml"]
    code, said = check("plane-mcp-adapter", text, etc, ADAPTER_PLANE__INSTANCE="edge-mcp-edge-adapter-0")
    assert code == 0, said
    assert_the_schema_has("adapter", said)
    if "adapter" in kinds(objects, "Deployment"):
        assert_a_stop_has_the_time(objects, "adapter", said, lambda _: 10)
