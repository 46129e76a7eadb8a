"""Traces: what the chart tells both programs."""

import tomllib

from chart import find, render


def told(objects):
    return [tomllib.loads(find(objects, "ConfigMap", name)["data"][f"{name}.toml"]).get("traces") for name in ("proxy", "adapter")]


def test_both_programs_send_their_spans_to_the_collector_with_its_key():
    objects = render("everything")
    assert told(objects) == [{"endpoint": "http://collector.monitoring:4318", "sample_ratio": 0.25}] * 2
    for name, variable in (("proxy", "PROXY_TRACES__HEADERS"), ("adapter", "ADAPTER_TRACES__HEADERS")):
        (container,) = find(objects, "Deployment", name)["spec"]["template"]["spec"]["containers"]
        (headers,) = [entry for entry in container["env"] if entry["name"] == variable]
        assert headers["valueFrom"]["secretKeyRef"] == {"name": "collector-key", "key": "headers"}


def test_without_a_collector_nothing_is_said_and_the_programs_defaults_hold():
    assert told(render("smallest")) == [None, None]


def test_where_traefik_passes_a_client_s_trace_on_it_decides_nothing_at_the_adapter():
    proxy, adapter = told(render("traefik-forward-auth"))
    assert proxy is None and adapter == {"trust_parent": False}
    proxy, adapter = told(render("traefik-forward-auth", 'traces.endpoint="http://collector:4318"', "traces.sampleRatio=1"))
    assert adapter == {**proxy, "trust_parent": False} and proxy["sample_ratio"] == 1
