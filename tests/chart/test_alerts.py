"""The alerts, by promtool: each fires when it should, says what it should, and is silent in the near miss."""

import json
import re

import pytest
import yaml
from alerts import PLACE, RUNBOOKS, alerts, cases, expected, one_test, promtool, rule_file, run
from chart import CHART, ROOT, Refused, render

QUIET = cases()["quiet"]
SCHEMA = json.loads((CHART / "values.schema.json").read_text())["properties"]
# Every reason that is counted as failed at the OAuth endpoints: ours or Cognito's, or what strangers can cause without a sign-in.
OURS = {"answer_unwritable", "cognito_misconfigured", "cognito_unavailable", "cookie_unwritable", "id_token_missing", "keys_unavailable", "page_unrenderable",
        "record_unreadable", "record_unwritable", "refresh_contended", "resource_unknown", "seal_unavailable", "store_unavailable", "transaction_unusable", "transaction_unwritable",
        "vault_unavailable"}
STRANGERS = {"client_document_too_often", "client_document_unreachable", "cognito_code_missing", "cognito_error", "cognito_grant_refused"}
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


def test_every_reason_of_a_failed_sign_in_is_ours_or_a_strangers():
    """So that a new one is put where it belongs: strangers wake nobody, and what is ours is told."""
    text = "".join(path.read_text() for path in sorted((ROOT / "proxy/src/oauth").rglob("*.rs")) if "tests" not in path.parts and path.name != "tests.rs")
    told = r'(?:unavailable\(|server_error\(|ErrorCode::(?:TemporarilyUnavailable|ServerError),|"[a-z]+" =>|_ =>)\s*"([a-z]+(?:_[a-z]+)+)"'
    assert OURS | STRANGERS == set(re.findall(told, text)) and not OURS & STRANGERS
    for name in ("McpEdgeSignInsFailing", "McpEdgeRequestsFailing"):
        for left_out in re.findall(r'reason!~"([^"]+)"', alerts()[name]["expr"]):
            assert {reason for reason in OURS | STRANGERS if re.fullmatch(left_out, reason)} == STRANGERS, name
    [by_browser] = set(re.findall(r'outcome=~"([^"]+)"', alerts()["McpEdgeSignInsRefused"]["expr"]))
    assert {reason for reason in STRANGERS if reason.startswith("cognito_")} == set(by_browser.split("|"))


def buckets():
    """The buckets of every histogram, as the programs declare them."""
    for program, path in (("proxy", "proxy/src/metrics.rs"), ("adapter", "adapter/src/metrics.rs")):
        text = (ROOT / path).read_text()
        bounds = {name: [float(bound.replace("_", "")) for bound in bound_list.split(",") if bound.strip()]
                  for name, bound_list in re.findall(r"const ([A-Z]+): &\[f64\] =\s*&\[([^\]]+)\]", text)}
        for name, of in re.findall(r'"([a-z_]+_seconds|[a-z_]+_ratio)"(?=[^;]*?\b(' + "|".join(bounds) + r")\b)", text):
            yield f"{program}_{name}", bounds[of]


def test_what_a_quantile_is_compared_with_is_a_bucket():
    """Between two buckets Prometheus guesses, and an alert would fire for what is well."""
    known = dict(buckets())
    compared = [(name, *found) for name, rule in alerts().items()
                for found in re.findall(r"((?:proxy|adapter)_\w+)_bucket\{[^}]*\}\[\w+\]\)\)\) > ([\d.]+)", rule["expr"])]
    assert {name for name, _, _ in compared} == {name for name, rule in alerts().items() if "histogram_quantile" in rule["expr"]}
    for name, metric, limit in compared:
        assert float(limit) in known[metric], f"{name}: {limit} is no bucket of {metric}"
    thresholds = SCHEMA["prometheusRule"]["properties"]["thresholds"]["properties"]
    for value, metric in (("latencySeconds", "proxy_request_duration_seconds"), ("valkeySeconds", "proxy_valkey_call_duration_seconds"),
                          ("planeSeconds", "adapter_plane_request_duration_seconds")):
        assert set(thresholds[value]["enum"]) <= set(known[metric]), value
    assert known["proxy_upstream_duration_seconds"] == known["proxy_request_duration_seconds"]


def test_without_all_alerts_of_a_group_there_is_no_group():
    of_plane = [rule["alert"] for group in rule_file()["groups"] if group["name"] == "mcp-edge-plane" for rule in group["rules"]]
    left = rule_file(f"prometheusRule.disabled={json.dumps(of_plane)}")["groups"]
    assert [group["name"] for group in left] == [group["name"] for group in rule_file()["groups"] if group["name"] != "mcp-edge-plane"]
    assert all(group["rules"] for group in left)


def test_only_alerts_that_exist_can_be_left_out():
    assert sorted(alerts()) == SCHEMA["prometheusRule"]["properties"]["disabled"]["items"]["enum"]
    with pytest.raises(Refused, match="disabled"):
        rule_file('prometheusRule.disabled=["McpEdgeSwitchedOf"]')


@pytest.mark.parametrize("interval", ["2m", "61s", "1h", "90000ms", "0s"])
def test_metrics_are_not_scraped_too_rarely_for_the_alerts(interval):
    """The shortest window is three minutes: with two of them between two looks, nothing is ever seen to rise."""
    with pytest.raises(Refused, match="interval"):
        render("smallest", "serviceMonitor.enabled=true", f'serviceMonitor.interval="{interval}"')


@pytest.mark.parametrize("interval", ["1m", "60s", "15s", "500ms"])
def test_metrics_may_be_scraped_as_often_as_wanted(interval):
    assert render("smallest", "serviceMonitor.enabled=true", f'serviceMonitor.interval="{interval}"')


@pytest.mark.parametrize("threshold", ["availabilityPercent=90", "planePercent=100", "limitedPercent=100", "connectionsPercent=100", "keysAgeHours=24", "latencySeconds=3",
                                       "valkeySeconds=0.2", "planeSeconds=7"])
def test_no_threshold_is_one_that_nothing_can_pass(threshold):
    with pytest.raises(Refused, match=threshold.split("=")[0]):
        rule_file(f"prometheusRule.thresholds.{threshold}")
