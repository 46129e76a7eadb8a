"""values.yaml: every value explained, every typo refused, nothing left out of the examples."""

import json
import re

import pytest
import yaml
from chart import CHART, SCENARIOS, Refused, render

VALUES = (CHART / "values.yaml").read_text()
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def resolved(schema):
    name = schema.get("$ref", "").rsplit("/", 1)[-1]
    return SCHEMA["definitions"][name] if name else schema


def paths(values, prefix=""):
    """Every key with keys of its own in values.yaml's blocks."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        yield path
        if isinstance(value, dict):
            yield from paths(value, f"{path}.")


@pytest.mark.parametrize("path", list(paths(yaml.safe_load(VALUES))))
def test_the_schema_knows_every_value_and_refuses_others_beside_it(path):
    schema = SCHEMA
    for part in path.split("."):
        if "properties" not in schema:
            return
        assert schema["additionalProperties"] is False, path
        assert part in schema["properties"], path
        schema = resolved(schema["properties"][part])


def test_the_schema_knows_no_value_that_is_not_in_the_file():
    def unknown(schema, values, prefix=""):
        for key, below in schema.get("properties", {}).items():
            if key not in values:
                yield f"{prefix}{key}"
            elif isinstance(values[key], dict) and values[key]:
                yield from unknown(resolved(below), values[key], f"{prefix}{key}.")
    left = set(unknown(SCHEMA, yaml.safe_load(VALUES)))
    # `global` is Helm's; the rest has a default of its own.
    assert left == {"global", "valkey.trial.image.digest", "helmTest.image.digest", "proxy.resources.claims", "adapter.resources.claims", "valkey.trial.resources.claims",
                    "valkey.trial.image.pullPolicy", "helmTest.image.pullPolicy"}


def test_every_value_is_explained():
    lines = VALUES.splitlines()
    for number, line in enumerate(lines):
        if not re.match(r"\s*[A-Za-z]+:\s*\S", line):
            continue
        above = number - 1
        while lines[above].strip().startswith("#") and not lines[above].strip().startswith("# --"):
            above -= 1
        assert lines[above].strip().startswith("# -- "), f"values.yaml:{number + 1}: {line.strip()}"


@pytest.mark.parametrize("typo", [
    'publicURL="https://mcp.example.com"', 'cognito.clientID="x"', "proxy.replica=3", 'proxy.config={"limit":{}}',
    'proxy.routes=[{"path":"/a","kind":"mcp","upstraem":"http://a"}]', 'adapter.config={"tool":{}}', "valkey.trial.enable=true",
    'proxy.config={"limits":{"requests_a_minute":1}}', 'proxy.config={"limits":{"headers":"many"}}', 'adapter.config={"plane":{"workspaces":"acme"}}',
    'proxy.config={"valkey":{"url":"redis://valkey"}}', 'adapter.config={"traces":{"headers":"key=secret"}}',
    "networkPolicy.enable=false", 'expose.with="ingress"', 'publicUrl="https://mcp.example.com/mcp"', "proxy.replicas=0",
    'proxy.service.spec={"ports":[]}', 'proxy.image.digest="latest"', 'fullnameOverride="Edge"', 'tls.certManager.issuer="letsencrypt"', 'forwardAuth.trustedProxies="10.0.0.1"'])
def test_a_typo_is_refused(typo):
    with pytest.raises(Refused, match="don't meet the specifications of the schema"):
        render("smallest", typo)


def test_without_values_it_says_what_must_be_set():
    with pytest.raises(Refused) as refused:
        render("smallest", 'publicUrl=""', 'cognito.region=""', 'plane.baseUrl=""')
    for key in ("publicUrl", "region", "baseUrl"):
        assert key in str(refused.value)


def test_every_example_says_what_it_is_for():
    assert SCENARIOS
    for path in SCENARIOS:
        assert path.read_text().startswith("# "), path.name
