"""Every test that takes `scenario` runs for each file of helm/mcp-edge/ci."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import pytest  # noqa: E402
from chart import SCENARIOS, scenario_name  # noqa: E402
from cluster import running  # noqa: E402


@pytest.fixture
def cluster(tmp_path):
    """A stub of a cluster."""
    with running(tmp_path) as cluster:
        yield cluster


def pytest_generate_tests(metafunc):
    if "scenario" in metafunc.fixturenames:
        metafunc.parametrize("scenario", [scenario_name(each) for each in SCENARIOS])
