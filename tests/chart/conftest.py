"""Every test that takes `scenario` runs for each file of helm/mcp-edge/ci."""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import pytest  # noqa: E402
from chart import PROGRAMS, SCENARIOS, scenario_name  # noqa: E402
from cluster import running  # noqa: E402


@pytest.fixture(scope="module")
def etc(tmp_path_factory):
    """What the pods find under /etc/mcp-edge, but for their configuration."""
    etc = tmp_path_factory.mktemp("etc")
    for folder in ("tls", "vault", "cognito", "valkey"):
        (etc / folder).mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=mcp.example.com"]
        + ["-addext", "subjectAltName=DNS:mcp.example.com"]
        + ["-keyout", etc / "tls/tls.key", "-out", etc / "tls/tls.crt"], check=True, capture_output=True)
    (etc / "valkey/ca.crt").write_text((etc / "tls/tls.crt").read_text())
    (etc / "cognito/client-secret").write_text("example-of-a-secret")
    made = subprocess.run([PROGRAMS / "mcp-edge-proxy", "keys", "generate"], check=True, capture_output=True)
    (etc / "vault/keys").write_bytes(made.stdout)
    return etc


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A Kubernetes API for all tests; each has namespaces of its own."""
    with running(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


def pytest_generate_tests(metafunc):
    if "scenario" in metafunc.fixturenames:
        metafunc.parametrize("scenario", [scenario_name(each) for each in SCENARIOS])
