"""Pods: where the adapter runs, how pods stop, how many there are, who reaches them."""

import json
import tomllib

import pytest
from chart import CHART, Refused, containers, find, helm, kinds, render

METRICS = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
TRAEFIK = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "traefik"}}}]


def pod(objects, name):
    return find(objects, "Deployment", name)["spec"]["template"]["spec"]


def admitted(objects, policy, port):
    """The peers let to a port; None: everybody."""
    rules = find(objects, "NetworkPolicy", policy)["spec"]["ingress"]
    found = [rule.get("from") for rule in rules if port in [each["port"] for each in rule["ports"]]]
    return [] if not found else None if None in found else [peer for peers in found for peer in peers]


def component(peer):
    return peer.get("podSelector", {}).get("matchLabels", {}).get("app.kubernetes.io/component")


def test_as_a_sidecar_the_adapter_starts_before_the_proxy_and_stops_after_it():
    [sidecar] = pod(render("sidecar"), "proxy")["initContainers"]
    assert sidecar["name"] == "adapter" and sidecar["restartPolicy"] == "Always"
    assert "lifecycle" not in sidecar


def test_as_a_sidecar_the_adapter_is_reached_by_loopback_only():
    objects = render("sidecar")
    adapter = tomllib.loads(find(objects, "ConfigMap", "adapter")["data"]["adapter.toml"])
    proxy = tomllib.loads(find(objects, "ConfigMap", "proxy")["data"]["proxy.toml"])
    assert adapter["server"]["listen"] == "127.0.0.1:8211"
    assert proxy["routes"][0]["upstream"] == "http://127.0.0.1:8211/mcp"
    assert kinds(objects, "Deployment") == ["proxy"]
    assert kinds(objects, "Service") == ["adapter-admin", "proxy", "proxy-admin"]


def test_asked_by_traefik_a_sidecar_adapter_is_reached_through_a_service():
    objects = render("forward-auth-sidecar")
    service = find(objects, "Service", "adapter")["spec"]
    assert service["selector"]["app.kubernetes.io/component"] == "proxy"
    adapter = tomllib.loads(find(objects, "ConfigMap", "adapter")["data"]["adapter.toml"])
    assert adapter["server"]["listen"] == "0.0.0.0:8211"


def test_the_adapter_knows_the_name_of_its_pod():
    for scenario_, of in (("smallest", "adapter"), ("sidecar", "proxy")):
        [adapter] = [each for each in containers(pod(render(scenario_), of)) if each["name"] == "adapter"]
        named = {"name": "ADAPTER_PLANE__INSTANCE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
        assert named in adapter["env"]


def test_plane_itself_has_an_address_of_its_own():
    adapter = tomllib.loads(find(render("everything"), "ConfigMap", "adapter")["data"]["adapter.toml"])
    assert adapter["plane"]["api_url"] == "http://plane-api.plane:8000"
    assert "api_url" not in tomllib.loads(find(render("smallest"), "ConfigMap", "adapter")["data"]["adapter.toml"])["plane"]


def test_a_pod_leaves_its_service_before_it_stops_accepting():
    objects = render("smallest")
    for name in ("proxy", "adapter"):
        [container] = pod(objects, name)["containers"]
        assert container["lifecycle"]["preStop"] == {"sleep": {"seconds": 5}}
    numbers = ("proxy.preStopSeconds=40", "proxy.terminationGracePeriodSeconds=165")
    [longer] = pod(render("smallest", *numbers), "proxy")["containers"]
    assert longer["lifecycle"]["preStop"] == {"sleep": {"seconds": 40}}
    with pytest.raises(Refused, match="terminationGracePeriodSeconds: must be 165 or more"):
        render("smallest", "proxy.preStopSeconds=40", "proxy.terminationGracePeriodSeconds=164")
    with pytest.raises(Refused, match="terminationGracePeriodSeconds"):
        render("smallest", "adapter.preStopSeconds=45")


def test_numbers_may_come_from_the_command_line():
    # `--set` gives whole numbers where a file gives fractions.
    numbers = "proxy.preStopSeconds=10,proxy.terminationGracePeriodSeconds=200,adapter.preStopSeconds=7,proxy.replicas=3"
    objects = helm("--values", str(CHART / "ci/smallest-values.yaml"), "--set", numbers)
    [proxy] = pod(objects, "proxy")["containers"]
    assert proxy["lifecycle"]["preStop"] == {"sleep": {"seconds": 10}}


def test_a_stop_has_the_time_of_everything_that_can_hold_it_up():
    # preStop, server.drain_seconds, and the refresh that is being stored; for the adapter the keys it deletes.
    assert pod(render("smallest"), "proxy")["terminationGracePeriodSeconds"] >= 5 + 30 + 95
    assert pod(render("smallest"), "adapter")["terminationGracePeriodSeconds"] >= 5 + 20 + 10
    assert pod(render("sidecar"), "proxy")["terminationGracePeriodSeconds"] >= 5 + 30 + 95 + 20 + 10
    slow = ("adapter.config.server.shutdown_delay_seconds=60", "adapter.config.server.drain_seconds=40")
    assert pod(render("sidecar", *slow), "proxy")["terminationGracePeriodSeconds"] >= 5 + 30 + 95 + 60 + 40 + 10


@pytest.mark.parametrize(("program", "setting", "least"), [
    ("proxy", "server.shutdown_delay_seconds=120", 5 + 120 + 30 + 95),
    ("proxy", "server.drain_seconds=60", 5 + 60 + 95),
    ("proxy", "vault.refresh_lock_seconds=60", 5 + 30 + 95 + 50),
    ("proxy", "cognito.timeout_seconds=30", 5 + 30 + 95 + 40),
    ("adapter", "server.shutdown_delay_seconds=60", 5 + 60 + 20 + 10),
    ("adapter", "server.drain_seconds=60", 5 + 60 + 10),
])
def test_a_stop_that_may_take_longer_needs_a_longer_grace(program, setting, least):
    slower = f"{program}.config.{setting}"
    with pytest.raises(Refused, match=f"terminationGracePeriodSeconds: must be {least} or more"):
        render("smallest", slower)
    render("smallest", slower, f"{program}.terminationGracePeriodSeconds={least}")


def test_a_rollout_takes_no_pod_away_before_another_serves():
    for name in ("proxy", "adapter"):
        strategy = find(render("smallest"), "Deployment", name)["spec"]["strategy"]
        assert strategy == {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


def test_a_changed_configuration_makes_new_pods():
    def sum_of(*overrides):
        return find(render("smallest", *overrides), "Deployment", "proxy")["spec"]["template"]["metadata"]["annotations"]
    assert sum_of() != sum_of('proxy.routes=[{"path":"/keys","kind":"api-key"}]')
    assert sum_of() == sum_of("proxy.replicas=5")


def test_pods_spread_over_zones_and_nodes():
    for name in ("proxy", "adapter"):
        spread = pod(render("smallest"), name)["topologySpreadConstraints"]
        assert [each["topologyKey"] for each in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
        assert {each["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] for each in spread} == {name}


def test_a_drained_node_takes_one_pod_of_a_kind_at_a_time():
    objects = render("smallest")
    for name in ("proxy", "adapter"):
        budget = find(objects, "PodDisruptionBudget", name)["spec"]
        assert budget["maxUnavailable"] == 1
        assert budget["selector"] == find(objects, "Deployment", name)["spec"]["selector"]
    assert kinds(render("sidecar"), "PodDisruptionBudget") == ["proxy"]
    assert kinds(render("smallest", "podDisruptionBudget.enabled=false"), "PodDisruptionBudget") == []


def test_with_autoscaling_nothing_else_sets_the_replicas():
    objects = render("everything")
    for name in ("proxy", "adapter"):
        assert "replicas" not in find(objects, "Deployment", name)["spec"]
        scaler = find(objects, "HorizontalPodAutoscaler", name)["spec"]
        assert scaler["scaleTargetRef"]["name"] == f"edge-mcp-edge-{name}"
        assert scaler["metrics"][0]["containerResource"]["container"] == name
    assert kinds(render("smallest"), "HorizontalPodAutoscaler") == []


def test_only_the_proxy_reaches_the_adapter():
    objects = render("smallest")
    assert [component(peer) for peer in admitted(objects, "adapter", 8211)] == ["proxy"]


def test_asked_by_traefik_the_adapter_is_reached_by_it_too():
    objects = render("traefik-forward-auth")
    proxy, *others = admitted(objects, "adapter", 8211)
    assert component(proxy) == "proxy" and others == TRAEFIK
    assert admitted(render("forward-auth-sidecar"), "proxy", 8211) == TRAEFIK


def test_only_traefik_reaches_the_port_that_hands_out_tokens():
    for scenario_ in ("traefik-forward-auth", "forward-auth-sidecar", "gateway-forward-auth"):
        assert admitted(render(scenario_), "proxy", 8081) == TRAEFIK


def test_only_monitoring_reaches_the_admin_ports():
    assert admitted(render("everything"), "proxy", 9443) == admitted(render("everything"), "adapter", 9211) == METRICS
    assert admitted(render("sidecar"), "proxy", 9211) == METRICS
    assert admitted(render("smallest"), "proxy", 9443) == admitted(render("smallest"), "adapter", 9211) == []


def test_everybody_reaches_the_public_port_unless_traefik_stands_before_it():
    assert admitted(render("smallest"), "proxy", 8443) is None
    helm_test, *others = admitted(render("traefik-inline"), "proxy", 8080)
    assert component(helm_test) == "test" and others == TRAEFIK


def test_only_the_proxy_reaches_a_trial_valkey():
    assert [component(peer) for peer in admitted(render("trial"), "valkey", 6379)] == ["proxy"]


def test_metrics_are_scraped_from_every_pod_ready_or_not():
    for name in ("proxy-admin", "adapter-admin"):
        spec = find(render("smallest"), "Service", name)["spec"]
        assert spec["clusterIP"] == "None" and spec["publishNotReadyAddresses"] is True


def test_prometheus_scrapes_the_admin_ports_and_no_other():
    objects = render("everything")
    monitor = find(objects, "ServiceMonitor", "metrics")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    [endpoint] = monitor["spec"]["endpoints"]
    assert endpoint == {"port": "admin", "path": "/metrics", "interval": "15s"}
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    scraped = [each["metadata"]["name"] for each in objects if each["kind"] == "Service"
               and wanted <= each["metadata"]["labels"].items()
               and endpoint["port"] in [port["name"] for port in each["spec"]["ports"]]]
    # Their names are the label `job`, which the alerts go by.
    assert "jobLabel" not in monitor["spec"]
    assert sorted(scraped) == ["edge-mcp-edge-adapter-admin", "edge-mcp-edge-proxy-admin"]
    assert kinds(render("smallest"), "ServiceMonitor") == []


@pytest.mark.parametrize(("url", "asked", "to"), [
    ("https://mcp.example.com", "https://mcp.example.com/", "mcp.example.com:443:edge-mcp-edge-proxy:443"),
    ("https://mcp.example.com:8443", "https://mcp.example.com:8443/", "mcp.example.com:8443:edge-mcp-edge-proxy:443"),
])
def test_helm_test_asks_the_service_under_the_public_name(url, asked, to):
    [container] = find(render("smallest", f'publicUrl="{url}"'), "Pod", "test")["spec"]["containers"]
    assert container["args"][-1] == f"{asked}.well-known/oauth-protected-resource/mcp"
    assert container["args"][-2] == to


def test_helm_test_speaks_plain_http_where_traefik_has_the_certificate():
    [container] = find(render("traefik-inline"), "Pod", "test")["spec"]["containers"]
    assert container["args"][-1].startswith("http://mcp.example.com/")
    assert container["args"][-2] == "mcp.example.com:80:edge-mcp-edge-proxy:80"


def test_no_pod_has_an_account_that_others_share():
    objects = render("trial")
    account = find(objects, "ServiceAccount", "")
    assert account["automountServiceAccountToken"] is False
    for each in (pod(objects, "proxy"), pod(objects, "adapter"), find(objects, "StatefulSet", "valkey")["spec"]["template"]["spec"]):
        assert each["serviceAccountName"] == account["metadata"]["name"] == "edge-mcp-edge"
    existing = render("smallest", 'serviceAccount.existingName="theirs"')
    assert pod(existing, "proxy")["serviceAccountName"] == "theirs" and kinds(existing, "ServiceAccount") == []


def test_a_cluster_may_choose_whom_pods_run_as():
    objects = render("smallest", 'podSecurityContext={"runAsUser":null,"runAsGroup":null,"fsGroup":null}')
    assert pod(objects, "proxy")["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def test_an_image_may_be_named_by_its_digest():
    images = [pod(render("everything"), name)["containers"][0]["image"] for name in ("proxy", "adapter")]
    assert images[0].startswith("registry.example.com/mcp-edge-proxy@sha256:") and images[1].endswith(":0.1.0")


def test_labels_of_the_team_are_on_every_object_but_in_no_selector():
    objects = render("everything")
    ours = [each for each in objects if each["metadata"]["name"] != "authorities"]
    assert len(ours) == len(objects) - 1
    assert all(each["metadata"]["labels"]["example.com/cost-centre"] == "4711" for each in ours)
    assert "example.com/cost-centre" not in find(objects, "Deployment", "proxy")["spec"]["selector"]["matchLabels"]


def test_another_name_is_that_of_every_object_and_of_every_mention():
    text = json.dumps(render("traefik-forward-auth", 'fullnameOverride="gate"'))
    assert "edge-mcp-edge" not in text and "http://gate-proxy-forward-auth.edge.svc:8081" in text


def test_a_load_balancer_may_keep_the_addresses_of_clients():
    assert find(render("everything"), "Service", "proxy")["spec"]["externalTrafficPolicy"] == "Local"


def test_a_part_that_cannot_be_is_refused():
    with pytest.raises(Refused, match="adapter/mode|adapter.mode"):
        render("smallest", 'adapter.mode="daemonset"')
