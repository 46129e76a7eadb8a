"""Secrets: existing ones, or made once and kept."""

import json
import os
import re
import socket
import subprocess
import time

import pytest
from chart import ROOT, Refused, find, free_port, kinds, render

VALKEY = os.environ.get("VALKEY_SERVER", str(ROOT / "target/tools/bin/valkey-server"))


def of(objects, name):
    return find(objects, "Secret", name)["stringData"]


def test_an_upgrade_keeps_the_vault_key_and_the_password(cluster):
    namespace = cluster.namespace("upgrade")
    cluster.helm("install", namespace, scenario="trial")
    made = cluster.secrets(namespace)
    assert set(made) == {"edge-mcp-edge-vault", "edge-mcp-edge-valkey"} and made["edge-mcp-edge-vault"]["keys"]
    cluster.helm("upgrade", namespace, scenario="trial", overrides=["proxy.replicas=3"])
    assert cluster.get("deployment", namespace, "edge-mcp-edge-proxy")["spec"]["replicas"] == 3
    assert cluster.secrets(namespace) == made


def test_two_installations_have_different_secrets():
    first = find(render("trial"), "Secret", "vault")["stringData"]["keys"]
    other = find(render("trial", "proxy.replicas=2"), "Secret", "vault")["stringData"]["keys"]
    assert first != other


def test_what_is_made_is_left_when_the_release_is_uninstalled():
    for name in ("vault", "valkey"):
        assert find(render("trial"), "Secret", name)["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_existing_secrets_are_used_and_none_is_made():
    objects = render("everything")
    assert kinds(objects, "Secret") == []
    text = json.dumps(find(objects, "Deployment", "proxy"))
    for name in ("edge-cognito", "edge-tls", "edge-vault", "edge-valkey", "edge-valkey-ca"):
        assert f'"{name}"' in text


def test_no_secret_is_in_a_config_map_or_on_a_command_line():
    objects = render("trial")
    secret = of(objects, "valkey")["password"]
    key = of(objects, "vault")["keys"].split(":")[1]
    rest = json.dumps([each for each in objects if each["kind"] != "Secret"])
    assert secret not in rest and key not in rest


def test_valkey_must_be_named_one_way():
    for override in ('valkey.existingSecret=""', "valkey.trial.enabled=true"):
        with pytest.raises(Refused, match="valkey: set existingSecret"):
            render("smallest", override)


def test_a_proxy_with_tls_needs_a_certificate():
    with pytest.raises(Refused, match="tls: the proxy needs a certificate"):
        render("smallest", 'tls.existingSecret=""')


def test_cert_manager_makes_the_secret_that_the_proxy_mounts():
    objects = render("sidecar")
    certificate = find(objects, "Certificate", "tls")["spec"]
    volumes = find(objects, "Deployment", "proxy")["spec"]["template"]["spec"]["volumes"]
    assert certificate["dnsNames"] == ["mcp.example.com"]
    assert certificate["issuerRef"] == {"name": "letsencrypt", "kind": "ClusterIssuer"}
    assert [each["secret"]["secretName"] for each in volumes if each["name"] == "tls"] == [certificate["secretName"]]


def say(stream, *words):
    stream.sendall(f"*{len(words)}\r\n".encode() + b"".join(f"${len(word)}\r\n{word}\r\n".encode() for word in words))
    return stream.recv(4096).decode()


def test_the_trial_valkey_starts_and_lets_only_the_edge_in(tmp_path):
    objects = render("trial")
    made = of(objects, "valkey")
    (tmp_path / "users.acl").write_text(made["users.acl"])
    container = find(objects, "StatefulSet", "valkey")["spec"]["template"]["spec"]["containers"][0]
    places = {"/etc/valkey/users.acl": str(tmp_path / "users.acl"), "/data": str(tmp_path)}
    port = free_port()
    assert container["command"] == ["valkey-server"]
    command = [VALKEY, *(places.get(each, each) for each in container["args"]), "--port", str(port), "--bind", "127.0.0.1"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                stream = socket.create_connection(("127.0.0.1", port))
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        password = re.fullmatch(r"redis://edge:(\w{32})@edge-mcp-edge-valkey:6379/0", made["url"])[1]
        assert say(stream, "PING").startswith("-NOAUTH")
        assert say(stream, "AUTH", "edge", password) == "+OK\r\n"
        assert say(stream, "SET", "mcp-edge:a", "1") == "+OK\r\n"
        assert say(stream, "SET", "other", "1").startswith("-NOPERM")
        assert say(stream, "FLUSHALL").startswith("-NOPERM")
    finally:
        server.terminate()
        server.wait()
