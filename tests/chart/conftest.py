"""Every test that takes `scenario` runs for each file of helm/mcp-edge/ci."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from chart import SCENARIOS, scenario_name  # noqa: E402


def pytest_generate_tests(metafunc):
    if "scenario" in metafunc.fixturenames:
        metafunc.parametrize("scenario", [scenario_name(each) for each in SCENARIOS])
