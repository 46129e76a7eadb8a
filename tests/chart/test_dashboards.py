"""The dashboards: as helm/dashboards makes them, whole, and found by Grafana's sidecar. What they ask is tested by `make e2e`."""

import json
import re
import subprocess
import sys

import pytest
from alerts import run
from chart import CHART, ROOT, find, kinds, render

FILES = sorted((CHART / "dashboards").glob("*.json"))
BOARDS = [json.loads(path.read_text()) for path in FILES]
TITLED = pytest.mark.parametrize("board", BOARDS, ids=[path.stem for path in FILES])
# The parts of a panel that Grafana's schema (kind Dashboard, version 42) knows, as much of it as ours use.
PARTS = {"id", "type", "title", "description", "datasource", "gridPos", "targets", "fieldConfig", "options", "transformations"}


def test_the_files_are_what_build_py_writes(tmp_path):
    subprocess.run([sys.executable, ROOT / "helm/dashboards/build.py", tmp_path], check=True)
    assert [path.name for path in FILES] == sorted(path.name for path in tmp_path.iterdir())
    for path in FILES:
        assert path.read_text() == (tmp_path / path.name).read_text(), f"{path.name}: run python3 helm/dashboards/build.py"


@TITLED
def test_it_says_who_it_is_and_for_which_grafana(board):
    assert board["schemaVersion"] == 42
    assert re.fullmatch(r"[a-z-]{1,40}", board["uid"]) and board["title"].startswith("MCP Edge") and board["description"]
    assert board["editable"] is True and board["time"]["from"] and board["tags"] == ["mcp-edge"]


def test_no_two_have_the_same_uid_or_title():
    assert len({board["uid"] for board in BOARDS}) == len({board["title"] for board in BOARDS}) == len(BOARDS) == 3


@TITLED
def test_people_choose_the_datasource_the_namespace_and_the_jobs(board):
    variables = {each["name"]: each for each in board["templating"]["list"]}
    assert list(variables) == ["datasource", "namespace", "proxy", "adapter"]
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    for name in ("namespace", "proxy", "adapter"):
        assert variables[name]["multi"] and variables[name]["includeAll"]


@TITLED
def test_panels_have_an_id_of_their_own_and_do_not_overlap(board):
    taken, ids = set(), [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


@TITLED
def test_every_panel_is_explained_has_a_unit_and_asks_the_chosen_datasource_for_the_chosen_release(board):
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert len(panels) >= 15
    for panel in panels:
        assert panel["description"] and set(panel) <= PARTS, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert [target["refId"] for target in panel["targets"]] == ["A", "B", "C", "D"][:len(panel["targets"])]
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            selectors = re.findall(r"\b(?:proxy|adapter|process)_[a-z_]+(\{[^}]*\})?", target["expr"])
            assert all('namespace=~"$namespace",job=~"$' in selector for selector in selectors if selector or "by (" not in target["expr"])


def chosen(board, series):
    """What each variable stands for when nobody chooses (All): its `allValue`, or else every value that Grafana finds for it."""
    found = {}
    for each in board["templating"]["list"][1:]:
        metric, here, label = re.fullmatch(r"label_values\((\w+)(\{.*\})?,(\w+)\)", each["query"]["query"]).groups()
        assert not here or here == '{namespace=~"$namespace"}'
        values = sorted({labels[label] for name, labels in series if name == metric and (not here or re.fullmatch(found["namespace"], labels["namespace"]))})
        found[each["name"]] = each.get("allValue") or f"({'|'.join(values)})"
    return found


@TITLED
def test_what_is_not_ours_is_not_shown_where_nobody_has_chosen(board, tmp_path):
    """Beside a proxy and an adapter, Prometheus scrapes what is neither, in the same namespace and in another."""
    places = {"proxy": ("edge", "edge-proxy"), "adapter": ("edge", "edge-adapter"), "foreign": ("edge", "database"), "far": ("shop", "web")}
    series = [(f"{program}_build_info", {"version": "1"}, program) for program in ("proxy", "adapter")]
    series += [(name, {}, place) for place in places for name in ("up", "process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds")]
    series = [(name, labels | dict(zip(("namespace", "job"), places[place], strict=True), instance=f"{place}:1")) for name, labels, place in series]
    stands = chosen(board, series)
    tests = []
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            if not re.search(r"\b(up|process_resident_memory_bytes|process_open_fds)\{", target["expr"]) or " " in target["expr"]:
                continue
            asked = re.sub(r"\$(namespace|proxy|adapter)\b", lambda name: stands[name[1]], target["expr"])
            expr = asked if asked.startswith("sum(") else f"count({asked})"
            tests.append({"expr": expr, "eval_time": "1m", "exp_samples": [{"labels": "{}", "value": 1}]})
    assert tests or board["uid"] == "mcp-edge-sessions"
    written = [{"series": f"{name}{{{','.join(f'{key}={json.dumps(value)}' for key, value in labels.items())}}}", "values": "1x5"} for name, labels in series]
    (tmp_path / "tests.yaml").write_text(json.dumps({"evaluation_interval": "1m", "tests": [{"interval": "1m", "input_series": written, "promql_expr_test": tests}]}))
    passed, said = run("test", "rules", tmp_path / "tests.yaml")
    assert passed, said


def test_the_sidecar_finds_them_by_label_and_folder():
    objects = render("everything")
    names = [f"dashboard-{path.stem}" for path in FILES]
    assert [name for name in kinds(objects, "ConfigMap") if name.startswith("dashboard-")] == names
    for name, path in zip(names, FILES, strict=True):
        found = find(objects, "ConfigMap", name)
        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert found["metadata"]["annotations"] == {"grafana_folder": "Agents"}
        [(key, text)] = found["data"].items()
        assert key == f"mcp-edge-{path.name}" and json.loads(text) == json.loads(path.read_text())
    changed = find(render("smallest", "dashboards.enabled=true", 'dashboards.labels={"grafana_dashboard":"yes"}'), "ConfigMap", names[0])
    assert changed["metadata"]["labels"]["grafana_dashboard"] == "yes"


def test_nothing_is_made_unless_asked_for():
    objects = render("smallest")
    assert not [name for name in kinds(objects, "ConfigMap") if name.startswith("dashboard-")]
    assert kinds(objects, "PrometheusRule") == []
