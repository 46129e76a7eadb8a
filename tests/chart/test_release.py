"""deploy/release.sh: what a release checks first, and the chart it publishes."""

import os
import subprocess
import tomllib

import pytest
from chart import HELM, ROOT, SCENARIOS

VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
REGISTRY = "registry.example.com"


def release(*arguments):
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "HELM": HELM}
    return subprocess.run([ROOT / "deploy/release.sh", *arguments], capture_output=True, text=True, env=env, check=False)


def test_the_released_chart_names_the_released_images(tmp_path):
    done = release("chart", "1.2.3", f"{REGISTRY}/acme", str(tmp_path))
    assert done.returncode == 0, done.stderr
    values = next(each for each in SCENARIOS if each.name == "smallest-values.yaml")
    command = [HELM, "template", "edge", tmp_path / "mcp-edge-1.2.3.tgz", "--kube-version", "1.30.0", "--values", values]
    rendered = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for name in ("mcp-edge-proxy", "plane-mcp-adapter"):
        assert f'image: "{REGISTRY}/acme/{name}:1.2.3"' in rendered
        assert f'image: "{name}' not in rendered


def test_a_tag_is_the_version_of_the_programs():
    assert release("check", f"v{VERSION}", REGISTRY).returncode == 0


@pytest.mark.parametrize(("tag", "registry", "said"), [
    ("v999.0.0", REGISTRY, f"the programs are {VERSION}"),
    (f"v{VERSION}+build", REGISTRY, f"the programs are {VERSION}"),
    (VERSION, REGISTRY, f"the programs are {VERSION}"),
    (f"v{VERSION}", "", "set the repository's variable REGISTRY"),
    (f"v{VERSION}", "https://registry.example.com/", "is no registry")])
def test_nothing_else_is_released(tag, registry, said):
    done = release("check", tag, registry)
    assert done.returncode == 1 and said in done.stderr
