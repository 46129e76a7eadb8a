"""The chart's alerts, and the tests of them in rules/ as promtool takes them."""

import functools
import os
import re
import subprocess
from pathlib import Path

import yaml
from chart import ROOT, find, render

PROMTOOL = os.environ.get("PROMTOOL", str(ROOT / "target/tools/bin/promtool"))
CASES = Path(__file__).parent / "rules"
RUNBOOKS = ROOT / "docs/runbooks.md"
JOBS = {"proxy": "edge-mcp-edge-proxy-admin", "adapter": "edge-mcp-edge-adapter-admin"}
# What the cases write for the labels that Prometheus gives each series: `@proxy`, or `@proxy2` for a second instance.
PLACE = re.compile(r"@(proxy|adapter)(\d?)")


def rule_file(*overrides):
    """What is in the rendered PrometheusRule, as a file of rules."""
    return find(render("smallest", "prometheusRule.enabled=true", *overrides), "PrometheusRule", "alerts")["spec"]


@functools.cache
def rule_text():
    """The same as text."""
    return yaml.safe_dump(rule_file(), width=10_000)


@functools.cache
def alerts():
    """Every alert by name."""
    return {rule["alert"]: rule for group in rule_file()["groups"] for rule in group["rules"] if "alert" in rule}


@functools.cache
def cases():
    """The cases by alert: what makes it fire, and what does not quite."""
    read = {}
    for path in sorted(CASES.glob("*.yaml")):
        for name, case in yaml.safe_load(path.read_text()).items():
            assert name not in read, f"{path.name}: {name} is tested twice"
            read[name] = case
    return read


def labels(part, number=""):
    """The labels that Prometheus gives the series of one instance."""
    return {"namespace": "edge", "job": JOBS[part], "instance": f"10.0.0.{number or 1}:9000"}


def placed(series):
    """The series of a case, with the labels of where they come from."""
    def text(found):
        return ",".join(f'{name}="{value}"' for name, value in labels(*found.groups()).items())
    return [{"series": PLACE.sub(text, name), "values": values} for name, values in series.items()]


def expected(name, alert):
    """What promtool shall find firing. `by: [instance]`: the alert is told by instance too."""
    said = alerts()[name]["annotations"]
    told = {key: value for key, value in labels(alert["of"]).items() if key != "instance" or "instance" in alert.get("by", [])}
    return {
        "exp_labels": told | {"severity": alert["severity"]} | alert.get("labels", {}),
        "exp_annotations": {"summary": said["summary"], "runbook_url": said["runbook_url"], "description": alert["says"]},
    }


def one_test(case, asked):
    """One of promtool's tests; `asked` are moments with what fires then by the alert's name."""
    wanted = [{"eval_time": at, "alertname": name, "exp_alerts": found} for at, name, found in asked]
    return {"interval": "1m", "input_series": placed(case["series"]), "alert_rule_test": wanted}


def promtool(folder, tests):
    """Runs promtool's own tests on the rendered rules: whether they pass, and what it says."""
    (folder / "rules.yaml").write_text(rule_text())
    (folder / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}))
    return run("test", "rules", folder / "tests.yaml")


def run(*arguments, stdin=""):
    """promtool: whether it is content, and what it says."""
    done = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, input=stdin, check=False)
    return done.returncode == 0, done.stdout + done.stderr
