#!/usr/bin/env python3
"""Writes the chart's dashboards: python3 helm/dashboards/build.py [FOLDER]. They are kept as Grafana wants them; this is where they are
changed. `make chart` fails when they differ."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import edge  # noqa: E402
import sessions  # noqa: E402
import tools  # noqa: E402
from grafana import written  # noqa: E402

FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "mcp-edge/dashboards"
FOLDER.mkdir(exist_ok=True)
for name, made in {"edge": edge.MADE, "sessions": sessions.MADE, "tools": tools.MADE}.items():
    (FOLDER / f"{name}.json").write_text(written(made))
