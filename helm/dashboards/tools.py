"""The adapter: tools, and Plane behind them."""

from edge import quantiles, resources
from grafana import dashboard, lines, stat

PLANE_AWAY = 'outcome=~"unreachable|timed_out|unavailable"'

HEALTH = ("Health", [
    stat("Adapters", "sum(up{<adapter>})", "How many answer Prometheus.", ((None, "red"), (1, "green")), width=4),
    stat("Tool calls", "sum(rate(adapter_tool_calls_total{<adapter>}[$__rate_interval]))", "A second.", unit="ops", width=4),
    stat("Tools answer", '(sum(rate(adapter_tool_calls_total{<adapter>,outcome="ok"}[$__rate_interval])) or vector(0)) '
         "/ sum(rate(adapter_tool_calls_total{<adapter>}[$__rate_interval]))",
         "Part of the calls that end well. The others are told what is wrong; many an agent then asks better.", unit="percentunit", width=4),
    stat("Plane away", f"(sum(rate(adapter_plane_requests_total{{<adapter>,{PLANE_AWAY}}}[$__rate_interval])) or vector(0)) "
         '/ sum(rate(adapter_plane_requests_total{<adapter>,outcome!="left"}[$__rate_interval]))',
         "Part of the requests to Plane without an answer or with 5xx.", ((None, "green"), (0.05, "orange"), (0.2, "red")),
         unit="percentunit", width=4),
    stat("Plane, 95 % within", "histogram_quantile(0.95, sum by (le) (rate(adapter_plane_request_duration_seconds_bucket{<adapter>}"
         "[$__rate_interval])))", "Of requests to Plane.", ((None, "green"), (1, "orange"), (5, "red")), unit="s", width=4),
    stat("MCP", "min(adapter_mcp_enabled{<adapter>})", "The adapters' master switch.", ((None, "red"), (1, "green")), width=4,
         names={0: "off", 1: "on"})])

TOOLS = ("Tools", [
    lines("Calls by tool", [("sum by (tool) (rate(adapter_tool_calls_total{<adapter>}[$__rate_interval])) > 0", "{{tool}}")],
          "Calls a second.", unit="ops", width=8, stacked=True),
    lines("Calls by outcome", [("sum by (outcome) (rate(adapter_tool_calls_total{<adapter>}[$__rate_interval])) > 0", "{{outcome}}")],
          "docs/tools.md explains the codes.", unit="ops", width=8),
    lines("By tool, 95 %", [("histogram_quantile(0.95, sum by (le, tool) (rate(adapter_tool_call_duration_seconds_bucket{<adapter>}"
                             "[$__rate_interval])))", "{{tool}}")], "95 % of the calls end within this time.", unit="s", width=8),
    lines("Requests by outcome", [("sum by (outcome) (rate(adapter_requests_total{<adapter>}[$__rate_interval])) > 0", "{{outcome}}")],
          "HTTP requests of the proxy.", unit="reqps"),
    lines("Tokens checked", [("sum by (outcome) (rate(adapter_token_checks_total{<adapter>}[$__rate_interval])) > 0", "{{outcome}}")],
          "ID tokens and API keys that the proxy sent.", unit="ops"),
    lines("In flight", [("sum(adapter_requests_in_flight{<adapter>})", "requests"), ("sum(adapter_open_connections{<adapter>})", "connections")],
          "Requests under way, and connections of the proxy."),
    lines("Found in memory", [("sum by (cache) (rate(adapter_cache_requests_total{<adapter>,result=\"hit\"}[$__rate_interval])) "
                               "/ sum by (cache) (rate(adapter_cache_requests_total{<adapter>}[$__rate_interval]))", "{{cache}}")],
          "Part of the look-ups that needed nobody.", unit="percentunit")])

PLANE = ("Plane", [
    lines("Requests by outcome", [("sum by (outcome) (rate(adapter_plane_requests_total{<adapter>}[$__rate_interval])) > 0", "{{outcome}}")],
          "identity_refused: what stands before Plane refuses the user; not_signed_in: Plane itself does; left: nobody waited for the answer.", unit="reqps", width=8),
    lines("How long they take", quantiles("adapter_plane_request_duration_seconds", "<adapter>"), "Until the answer is there.", unit="s", width=8),
    lines("A user's minute", quantiles("adapter_plane_budget_used_ratio", "<adapter>"),
          "Part of plane.requests_per_minute that the user had used, at each request to Plane.", unit="percentunit", width=8),
    lines("Over the budget", [("sum by (budget) (increase(adapter_plane_budget_refused_total{<adapter>}[$__rate_interval]))", "{{budget}}")],
          "Requests to Plane that a user's budget did not allow.", width=8),
    lines("API keys", [("sum by (event) (increase(adapter_plane_keys_total{<adapter>}[$__rate_interval]))", "{{event}}")],
          "Made for signed-in users where Plane takes only keys.", width=8),
    lines("Age of Cognito's keys", [("time() - (adapter_jwks_fetched_timestamp_seconds{<adapter>} > 0)", "{{instance}} {{issuer}}")],
          "Read again every hour while they are used.", unit="s", width=8)])

MADE = dashboard("mcp-edge-tools", "MCP Edge: tools and Plane", "The adapter: tools, and Plane behind them.",
                 [HEALTH, TOOLS, PLANE, resources("<adapter>")])
