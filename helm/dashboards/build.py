#!/usr/bin/env python3
"""Writes the chart's dashboards: python3 helm/dashboards/build.py. They are kept as Grafana wants them; this is where they are
changed. `make chart` fails when they differ."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import edge  # noqa: E402
import sessions  # noqa: E402
import tools  # noqa: E402
from grafana import written  # noqa: E402

FOLDER = HERE.parent / "mcp-edge/dashboards"
ALL = {"edge": edge.MADE, "sessions": sessions.MADE, "tools": tools.MADE}


def texts():
    """What each file shall hold, by its path."""
    return {FOLDER / f"{name}.json": written(made) for name, made in ALL.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for path, text in texts().items():
        path.write_text(text)
