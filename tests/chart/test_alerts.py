"""The alerts, by promtool: each fires when it should, says what it should, and is silent in the near miss."""

import re

import pytest
import yaml
from alerts import PLACE, RUNBOOKS, alerts, cases, expected, one_test, promtool, rule_file, run

QUIET = cases()["quiet"]
TESTED = {name: case for name, case in cases().items() if name != "quiet"}


@pytest.mark.parametrize("name", sorted(TESTED))
def test_it_fires_and_says_what_it_should(name, tmp_path):
    assert TESTED[name]["fires"], name
    tests = [one_test(case, [(case["at"], name, [expected(name, alert) for alert in case["alerts"]])]) for case in TESTED[name]["fires"]]
    passed, said = promtool(tmp_path, tests)
    assert passed, said


@pytest.mark.parametrize("name", sorted(TESTED))
def test_it_is_silent_in_the_near_miss(name, tmp_path):
    assert TESTED[name]["silent"], name
    tests = [one_test(case, [(at, name, []) for at in case["at"]]) for case in TESTED[name]["silent"]]
    passed, said = promtool(tmp_path, tests)
    assert passed, said


@pytest.mark.parametrize("case", QUIET, ids=[case["when"] for case in QUIET])
def test_no_alert_fires(case, tmp_path):
    moments = [f"{minute}m" for minute in range(0, case["minutes"], 5)]
    passed, said = promtool(tmp_path, [one_test(case, [(at, name, []) for at in moments for name in alerts()])])
    assert passed, said


def test_a_wrong_expectation_would_be_told(tmp_path):
    name, case = next(iter(TESTED.items()))
    passed, said = promtool(tmp_path, [one_test(case["fires"][0], [(case["fires"][0]["at"], name, [])])])
    assert not passed and name in said


def test_every_alert_has_its_cases_and_every_case_an_alert():
    assert sorted(TESTED) == sorted(alerts())


def test_every_case_says_what_it_is_about():
    for name, case in TESTED.items():
        for each in [*case["fires"], *case["silent"]]:
            assert each["when"] and all(PLACE.search(series) for series in each["series"]), name


def test_every_alert_has_a_runbook_and_every_runbook_an_alert():
    sections = re.findall(r"^## (McpEdge\w+)$", RUNBOOKS.read_text(), re.MULTILINE)
    assert sorted(sections) == sorted(alerts())


def test_a_runbook_says_what_it_means_how_to_look_and_what_to_do():
    for section in RUNBOOKS.read_text().split("\n## ")[1:]:
        name, text = section.split("\n", 1)
        for word in ("**Means**", "**Users**", "**Look**", "**Do**"):
            assert word in text, f"{name}: {word}"


def test_every_alert_says_how_bad_it_is_and_links_to_its_runbook():
    for name, rule in alerts().items():
        assert rule["labels"]["severity"] in ("critical", "warning"), name
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}, name
        assert rule["annotations"]["runbook_url"].endswith(f"/docs/runbooks.md#{name.lower()}")
        assert "{{ $labels.namespace }}" in rule["annotations"]["description"], name


def test_promtool_takes_the_rules_of_the_richest_example_too(tmp_path):
    for number, overrides in enumerate([[], ['prometheusRule.extraRules=[{"record":"a:b","expr":"vector(1)"}]',
                                             'prometheusRule.thresholds.latencySeconds=2.5']]):
        text = yaml.safe_dump(rule_file(*overrides), width=10_000)
        assert not re.search(r"<[a-z]\w+>", text)
        (tmp_path / f"{number}.yaml").write_text(text)
        passed, said = run("check", "rules", "--lint=all", "--lint-fatal", tmp_path / f"{number}.yaml")
        assert passed, said


def test_values_change_what_is_rendered():
    rules = rule_file('prometheusRule.disabled=["McpEdgeSwitchedOff"]', 'prometheusRule.alertLabels={"team":"platform"}',
                      "prometheusRule.thresholds.certificateWarningDays=7", 'prometheusRule.jobs.proxy="edge"',
                      'prometheusRule.runbookUrl="https://docs.example.com/runbooks.md"')
    left = {rule["alert"]: rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule}
    assert set(alerts()) - set(left) == {"McpEdgeSwitchedOff"}
    ends = left["McpEdgeCertificateEndsSoon"]
    assert "< 7 * 86400" in ends["expr"] and 'job="edge"' in ends["expr"]
    assert ends["labels"] == {"severity": "warning", "team": "platform"}
    assert ends["annotations"]["runbook_url"] == "https://docs.example.com/runbooks.md#mcpedgecertificateendssoon"
