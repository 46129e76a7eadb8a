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
