"""MCP Edge at a glance: is it well, what is asked of it, how long does it take."""

from grafana import dashboard, heat, lines, stat, table

GOOD, BAD, WARN = "green", "red", "orange"
ALL = 'route!~"healthz|none"'
# As in the rules (templates/_rules.tpl): without what strangers can ask for without end, or cause, and without the master switch.
SERVED = ('<proxy>,route!~"healthz|none|oauth_.+_metadata",'
          'reason!~"disabled|cognito_error|cognito_code_missing|cognito_grant_refused|client_document_.+"')
UP = ((None, BAD), (1, GOOD))


def quantiles(metric, of, by=""):
    """Lines of the median and of what one in twenty and one in a hundred exceed."""
    return [(f"histogram_quantile({of_all}, sum by (le{by}) (rate({metric}_bucket{{{of}}}[$__rate_interval])))", name)
            for of_all, name in ((0.5, "half"), (0.95, "95 %"), (0.99, "99 %"))]


HEALTH = ("Health", [
    stat("Proxies", "sum(up{<proxy>})", "How many answer Prometheus.", UP),
    stat("Adapters", "sum(up{<adapter>})", "How many answer Prometheus.", UP),
    stat("Alerts", 'sum(ALERTS{namespace=~"$namespace",alertname=~"McpEdge.+",alertstate="firing"}) or vector(0)',
         "Alerts of MCP Edge that fire; docs/runbooks.md says what to do.", ((None, GOOD), (1, BAD))),
    stat("Failed", f'(sum(rate(proxy_requests_total{{{SERVED},outcome="failed"}}[$__rate_interval])) or vector(0)) '
         f'/ sum(rate(proxy_requests_total{{{SERVED},outcome=~"ok|failed"}}[$__rate_interval]))',
         "Part of the requests that were to be served and got 5xx, but for the master switch.", ((None, GOOD), (0.005, WARN), (0.05, BAD)), unit="percentunit"),
    stat("95 % within", f"histogram_quantile(0.95, sum by (le) (rate(proxy_request_duration_seconds_bucket{{<proxy>,{ALL}}}[$__rate_interval])))",
         "Until the answer begins, of requests of any route.", ((None, GOOD), (1, WARN), (5, BAD)), unit="s"),
    stat("Certificate", "min(proxy_certificate_not_after_timestamp_seconds{<proxy>} > 0) - time()",
         "Time left of the certificate that the proxy shows; nothing where something else terminates TLS.",
         ((None, BAD), (259200, WARN), (1209600, GOOD)), unit="s"),
    stat("MCP", "min(proxy_mcp_enabled{<proxy>}) * min(adapter_mcp_enabled{<adapter>})", "The master switch of all proxies and adapters.", UP,
         names={0: "off", 1: "on"}),
    stat("Configuration", "min(proxy_config_last_reload_successful{<proxy>}) * min(adapter_config_last_reload_successful{<adapter>})",
         "Whether the last change of the configuration was taken everywhere.", UP, names={0: "refused", 1: "taken"}),
    table("Firing", 'ALERTS{namespace=~"$namespace",alertname=~"McpEdge.+",alertstate="firing"}', "Which alerts fire.",
          hidden=("alertstate", "namespace"), width=12, height=5),
    table("Running", "count by (job, version) (proxy_build_info{<proxy>} or adapter_build_info{<adapter>})",
          "Versions; two of one job for long is a rollout that hangs.", width=6, height=5),
    lines("Restarts", [("sum by (job) (changes(process_start_time_seconds{<proxy>}[10m]))", "{{job}}"),
                       ("sum by (job) (changes(process_start_time_seconds{<adapter>}[10m]))", "{{job}}")],
          "Starts within ten minutes of what ran already.")])

TRAFFIC = ("Traffic", [
    lines("Requests by route", [(f"sum by (route) (rate(proxy_requests_total{{<proxy>,{ALL}}}[$__rate_interval]))", "{{route}}")],
          "Requests a second.", unit="reqps", stacked=True),
    lines("Requests by outcome", [(f"sum by (outcome) (rate(proxy_requests_total{{<proxy>,{ALL}}}[$__rate_interval]))", "{{outcome}}")],
          "refused: by us, with 4xx; failed: 5xx; left: the client was gone before the answer; ok: all else, an upstream's 4xx too.", unit="reqps", stacked=True),
    lines("Why refused", [('sum by (reason) (rate(proxy_requests_total{<proxy>,outcome="refused"}[$__rate_interval]))', "{{reason}}")],
          "The same word as `reason` in the log. no_token: a client that signs in next.", unit="reqps"),
    lines("Why failed", [('sum by (reason) (rate(proxy_requests_total{<proxy>,route!="healthz",outcome="failed"}[$__rate_interval])) > 0', "{{reason}}")],
          "The same word as `reason` in the log.", unit="reqps"),
    lines("In flight", [("sum by (listener) (proxy_requests_in_flight{<proxy>})", "{{listener}}")],
          "Requests whose answer has not begun."),
    lines("Over a limit", [("sum by (limit) (rate(proxy_rate_limited_total{<proxy>}[$__rate_interval]))", "{{limit}}")],
          "Requests answered with 429, by the limit.", unit="reqps"),
    lines("Open connections", [("sum by (listener) (proxy_open_connections{<proxy>})", "{{listener}}"),
                               ("min(proxy_connections_limit{<proxy>})", "limit of one proxy")], "Clients', and Traefik's at forward_auth."),
    lines("Connections refused", [("sum by (reason) (rate(proxy_connections_refused_total{<proxy>}[$__rate_interval]))", "{{reason}}")],
          "limit: all are open; address: one address has too many.", unit="cps")])

LATENCY = ("Latency", [
    lines("Until the answer begins", quantiles("proxy_request_duration_seconds", f"<proxy>,{ALL}"), "Of requests of any route.", unit="s"),
    lines("By route, 95 %", [(f"histogram_quantile(0.95, sum by (le, route) (rate(proxy_request_duration_seconds_bucket{{<proxy>,{ALL}}}"
                              "[$__rate_interval])))", "{{route}}")], "95 % of the answers begin within this time.", unit="s"),
    lines("Upstreams, 95 %", [("histogram_quantile(0.95, sum by (le, route) (rate(proxy_upstream_duration_seconds_bucket{<proxy>}"
                               "[$__rate_interval])))", "{{route}}")], "What of it is spent behind the proxy, also when no answer comes.", unit="s"),
    heat("All answers", f"sum by (le) (increase(proxy_request_duration_seconds_bucket{{<proxy>,{ALL}}}[$__rate_interval]))",
         "How many answers began within which time.")])

SIGN_INS = ("Signing in", [
    lines("Sign-ins", [("sum by (outcome) (increase(proxy_sign_ins_total{<proxy>}[$__rate_interval]))", "{{outcome}}")],
          "That came back from Cognito, by what became of them."),
    lines("Clients registered", [("sum by (outcome) (increase(proxy_registrations_total{<proxy>}[$__rate_interval]))", "{{outcome}}")],
          "And those that were turned away."),
    lines("Sessions begun and ended", [("sum(increase(proxy_sessions_opened_total{<proxy>}[$__rate_interval]))", "begun"),
                                       ("sum by (reason) (increase(proxy_sessions_ended_total{<proxy>}[$__rate_interval]))", "{{reason}}")],
          "Ended before their time; grant_refused: Cognito refused to go on."),
    lines("Tokens checked", [("sum by (kind, outcome) (rate(proxy_token_checks_total{<proxy>}[$__rate_interval])) > 0", "{{kind}}: {{outcome}}")],
          "Ours (access), Cognito's own where they are taken, and API keys.", unit="ops")])


def resources(of):
    """What the processes of a part use."""
    return ("Resources", [
        lines("CPU", [(f"sum by (instance) (rate(process_cpu_seconds_total{{{of}}}[$__rate_interval]))", "{{instance}}")],
              "Cores in use.", unit="none"),
        lines("Memory", [(f"process_resident_memory_bytes{{{of}}}", "{{instance}}")], "Resident; the container's limit is the chart's "
              "resources.limits.memory.", unit="bytes"),
        lines("File descriptors", [(f"process_open_fds{{{of}}}", "{{instance}}"), (f"min(process_max_fds{{{of}}})", "limit")], "Open."),
        lines("Running for", [(f"time() - process_start_time_seconds{{{of}}}", "{{instance}}")], "Since it started.", unit="s")])


MADE = dashboard("mcp-edge", "MCP Edge", "Is it well, what is asked of it, how long does it take.",
                 [HEALTH, TRAFFIC, LATENCY, SIGN_INS, resources("<proxy>")])
