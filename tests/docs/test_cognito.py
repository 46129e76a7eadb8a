"""The commands of docs/cognito.md, run with the real AWS command line against moto's imitation of Cognito's API."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path

import hcl2
import pytest

import check

PAGE = "docs/cognito.md"
# What tells Cognito's page from ours: nobody but moto is ever asked.
POOL = "eu-central-1_EXAMPLE01"
BIN = Path(sys.executable).parent
# The settings that decide whether people can sign in, and for how long: Cognito's name, and Terraform's.
COMPARED = {
    "ClientName": "name",
    "AllowedOAuthFlowsUserPoolClient": "allowed_oauth_flows_user_pool_client",
    "AllowedOAuthFlows": "allowed_oauth_flows",
    "AllowedOAuthScopes": "allowed_oauth_scopes",
    "CallbackURLs": "callback_urls",
    "SupportedIdentityProviders": "supported_identity_providers",
    "ExplicitAuthFlows": "explicit_auth_flows",
    "PreventUserExistenceErrors": "prevent_user_existence_errors",
    "EnableTokenRevocation": "enable_token_revocation",
    "AccessTokenValidity": "access_token_validity",
    "IdTokenValidity": "id_token_validity",
    "RefreshTokenValidity": "refresh_token_validity",
}


def section(title: str, language: str) -> list[str]:
    """The blocks of one language under one heading of the page."""
    text = (check.ROOT / PAGE).read_text()
    body = re.split(r"(?m)^## ", text.split(f"\n## {title}\n", 1)[1])[0]
    return [block for _, block in check.blocks(body, language)]


def proxy_default(key: str) -> int:
    """A default of the proxy, as its source has it."""
    source = (check.ROOT / "proxy/src/config/raw.rs").read_text()
    return int(re.search(rf"(?m)^ +{key}: (\d[\d_]*),", source)[1].replace("_", ""))


@pytest.fixture(scope="module")
def cognito():
    """An imitation of Cognito's API on a free port, with one empty pool; gives its URL and the pool's id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [BIN / "moto_server", "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert server.poll() is None, server.stderr.read().decode()
            try:
                urllib.request.urlopen(f"{url}/moto-api/", timeout=1)
                break
            except OSError:
                time.sleep(0.1)
        made = run("aws cognito-idp create-user-pool --pool-name people --query UserPool.Id --output text", url)
        yield url, made.strip()
    finally:
        server.kill()
        server.wait()


def run(script: str, url: str, folder: str | Path = "/tmp") -> str:
    """Runs a script as somebody would paste it into a shell, and gives what it prints."""
    environment = {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "HOME": str(folder),
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_PAGER": "",
        "NO_PROXY": "127.0.0.1",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def by_commands(cognito, tmp_path_factory):
    """The client that the page's commands make, the same after those on rotation, and the folder they ran in."""
    url, pool = cognito
    folder = tmp_path_factory.mktemp("shell")
    blocks = section("By the command line", "sh")
    assert len(blocks) == 4 and POOL in blocks[0]
    script = "\n".join(blocks[:3]).replace(POOL, pool) + f"\n{{\n{blocks[3]}\n}} >proxy.toml"
    shown = 'aws cognito-idp describe-user-pool-client --user-pool-id "$POOL_ID" --client-id "$CLIENT_ID"'
    keep = f"\n{shown} >made.json"
    rotation = "\n".join(section("Rotation", "sh")) + f"\n{shown} >rotating.json\n"
    checked = run(f"{script}{keep}\n{rotation}" + "\n".join(section("Checking it", "sh")) + "\n", url, folder)
    assert "https://mcp.example.com/auth/callback" in checked
    described = [json.loads((folder / name).read_text())["UserPoolClient"] for name in ("made.json", "rotating.json")]
    return described, folder


def seconds(client: dict, kind: str) -> int:
    """How long a token of the client lives."""
    unit = {"minutes": 60, "hours": 3600, "days": 86_400}[client["TokenValidityUnits"][f"{kind}Token"]]
    return client[f"{kind}TokenValidity"] * unit


def test_the_client_is_what_the_proxy_needs(by_commands):
    clients, folder = by_commands
    for client in clients:
        assert client["AllowedOAuthFlowsUserPoolClient"] is True
        assert client["AllowedOAuthFlows"] == ["code"] and "openid" in client["AllowedOAuthScopes"]
        assert client["CallbackURLs"] == ["https://mcp.example.com/auth/callback"]
        assert client["EnableTokenRevocation"] is True
        assert client["SupportedIdentityProviders"] == ["COGNITO"]
        # Cognito's own bounds, and what the proxy takes for granted.
        assert all(300 <= seconds(client, kind) <= 86_400 for kind in ("Access", "Id"))
        assert seconds(client, "Id") > 2 * proxy_default("refresh_before_seconds")
        assert seconds(client, "Refresh") >= proxy_default("refresh_token_days") * 86_400
        assert client["ClientSecret"]
    secret = folder / "cognito-client-secret"
    assert secret.read_text().strip() == clients[0]["ClientSecret"]
    assert secret.stat().st_mode & 0o077 == 0


def test_rotation_has_grace_beyond_the_proxys_lock_and_not_the_flow_it_excludes(by_commands):
    before, after = by_commands[0]
    assert before["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]
    assert before.get("RefreshTokenRotation", {}).get("Feature", "DISABLED") == "DISABLED"
    rotation = after["RefreshTokenRotation"]
    assert rotation["Feature"] == "ENABLED"
    assert proxy_default("refresh_lock_seconds") < rotation["RetryGracePeriodSeconds"] <= 60
    assert "ALLOW_REFRESH_TOKEN_AUTH" not in after["ExplicitAuthFlows"] != []
    # An update that leaves a setting out puts it back to its default: nothing else may differ.
    changed = {"ExplicitAuthFlows", "RefreshTokenRotation", "LastModifiedDate", "CreationDate"}
    assert {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)} <= changed


def test_the_configuration_that_is_printed_names_the_client(by_commands, cognito):
    (client, _), folder = by_commands
    assert tomllib.loads((folder / "proxy.toml").read_text())["cognito"] == {
        "region": "eu-central-1",
        "user_pool_id": cognito[1],
        "client_id": client["ClientId"],
        "client_secret_file": str(folder / "cognito-client-secret"),
    }


def plain(read):
    """What the reader of Terraform's language gives, without the quotes it leaves on, and as the API would be told it."""
    if isinstance(read, list):
        return [plain(each) for each in read]
    if isinstance(read, dict):
        return {key.strip('"'): plain(each) for key, each in read.items() if key != "__is_block__"}
    return read.strip('"').replace("${var.public_url}", "https://mcp.example.com") if isinstance(read, str) else read


def terraform() -> dict:
    """The resources of the page by type."""
    read = plain(hcl2.loads("\n".join(section("By Terraform", "hcl")) + "\n"))
    return {kind: next(iter(named.values())) for each in read["resource"] for kind, named in each.items()}


def test_terraform_makes_the_same_client(by_commands):
    client = by_commands[0][0]
    resources = terraform()
    asked = resources["aws_cognito_user_pool_client"]
    for theirs, ours in COMPARED.items():
        assert asked[ours] == client[theirs], ours
    assert asked["generate_secret"] is True
    (units,) = asked["token_validity_units"]
    told = {"AccessToken": units["access_token"], "IdToken": units["id_token"], "RefreshToken": units["refresh_token"]}
    assert told == client["TokenValidityUnits"]
    assert resources["aws_cognito_user_pool_domain"].keys() == {"domain", "user_pool_id"}


def test_terraforms_rotation_is_that_of_the_command(by_commands):
    (block,) = section("Rotation", "hcl")
    (rotation,) = plain(hcl2.loads(block + "\n"))["refresh_token_rotation"]
    asked = {"Feature": rotation["feature"], "RetryGracePeriodSeconds": rotation["retry_grace_period_seconds"]}
    assert asked == by_commands[0][1]["RefreshTokenRotation"]


def test_the_commands_of_the_incidents_are_commands():
    """Their options, as the command line knows them; what they do is Cognito's."""
    text = (check.ROOT / "docs/incidents.md").read_text()
    commands = [line for _, block in check.blocks(text, "sh") for line in block.splitlines() if line.startswith("aws ")]
    assert len(commands) == 4
    for command in commands:
        script = f'POOL_ID={POOL} USERNAME=alice CLIENT_ID=4h57example OLD=1; {command} --generate-cli-skeleton input'
        run(script, "http://127.0.0.1:9", os.environ.get("TMPDIR", "/tmp"))
