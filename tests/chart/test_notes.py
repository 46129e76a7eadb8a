"""NOTES.txt: the next step after an installation."""


def test_they_name_the_callback_url_and_how_to_connect_a_client(cluster, scenario):
    notes = cluster.notes(scenario)
    assert "https://mcp.example.com/auth/callback" in notes
    assert "claude mcp add --transport http plane https://mcp.example.com/mcp" in notes
    assert "helm -n edge test edge" in notes


def test_they_warn_of_what_is_for_trials_and_of_the_key_that_was_made(cluster):
    notes = cluster.notes("trial")
    assert "edge-mcp-edge-vault holds the key of all sessions" in notes
    assert "which is for trials" in notes


def test_they_say_what_traefik_must_be_told(cluster):
    assert "aliasHeadersStrategy: delete" in cluster.notes("traefik-inline")
    assert "Service edge-mcp-edge-proxy" in cluster.notes("smallest")
    assert "allowCrossNamespace" in cluster.notes("forward-auth-sidecar")
    assert "allowCrossNamespace" not in cluster.notes("traefik-forward-auth")


def test_they_warn_of_alerts_that_would_see_nothing(cluster):
    watched = ("serviceMonitor.enabled=true", "prometheusRule.enabled=true")
    assert "networkPolicy.metricsFrom is empty" in cluster.notes("smallest", *watched)
    assert "set prometheusRule.jobs" in cluster.notes("smallest", "prometheusRule.enabled=true")
    for word in ("networkPolicy.metricsFrom is empty", "set prometheusRule.jobs"):
        assert word not in cluster.notes("everything")


def test_they_warn_of_images_that_no_cluster_could_pull(cluster):
    said = "image.repository is mcp-edge-proxy, which names no registry"
    assert said in cluster.notes("smallest")
    named = ('proxy.image.repository="registry.example.com/acme/mcp-edge-proxy"', 'adapter.image.repository="registry.example.com/acme/plane-mcp-adapter"')
    assert "names no registry" not in cluster.notes("smallest", *named)
