"""Sessions, and what the proxy depends on to keep them: the vault, Valkey, Cognito."""

from edge import quantiles
from grafana import dashboard, lines, stat

VAULT = ("Vault", [
    lines("Finding a session, 95 %", [("histogram_quantile(0.95, sum by (le, cache) (rate(proxy_vault_duration_seconds_bucket{<proxy>}"
                                       "[$__rate_interval])))", "{{cache}}")], "By whether it was in memory.", unit="s"),
    lines("Found in memory", [("sum by (cache) (rate(proxy_cache_requests_total{<proxy>,result=\"hit\"}[$__rate_interval])) "
                               "/ sum by (cache) (rate(proxy_cache_requests_total{<proxy>}[$__rate_interval]))", "{{cache}}")],
          "Part of the look-ups that needed nobody.", unit="percentunit"),
    lines("Sessions begun and ended", [("sum(increase(proxy_sessions_opened_total{<proxy>}[$__rate_interval]))", "begun"),
                                       ("sum by (reason) (increase(proxy_sessions_ended_total{<proxy>}[$__rate_interval]))", "{{reason}}")],
          "grant_refused: Cognito refused to go on. What is used twice may be stolen."),
    lines("Look-ups", [("sum by (cache, result) (rate(proxy_cache_requests_total{<proxy>}[$__rate_interval]))", "{{cache}}: {{result}}")],
          "In the caches.", unit="ops")])

REFRESHES = ("Refreshes", [
    lines("Refreshes", [("sum by (outcome) (increase(proxy_refreshes_total{<proxy>}[$__rate_interval]))", "{{outcome}}")],
          "adopted: another proxy had done it. refused: the session ended. unavailable: the next request tries again."),
    lines("How long one takes", quantiles("proxy_refresh_duration_seconds", "<proxy>"), "With the wait for its turn.", unit="s"),
    lines("Wait for the turn", quantiles("proxy_refresh_lock_wait_seconds", "<proxy>"),
          "While another proxy has the session in hand.", unit="s"),
    lines("Refused", [('sum(rate(proxy_refreshes_total{<proxy>,outcome="refused"}[$__rate_interval])) '
                       '/ sum(rate(proxy_refreshes_total{<proxy>,outcome!="adopted"}[$__rate_interval]))', "refused")],
          "Part of the refreshes that Cognito refused.", unit="percentunit")])

VALKEY = ("Valkey", [
    stat("Failing", '(sum(rate(proxy_valkey_calls_total{<proxy>,result=~"error|timeout"}[$__rate_interval])) or vector(0)) '
         '/ sum(rate(proxy_valkey_calls_total{<proxy>,result!="given_up"}[$__rate_interval]))', "Part of the calls.",
         ((None, "green"), (0.01, "orange"), (0.05, "red")), unit="percentunit"),
    lines("Calls", [("sum by (operation) (rate(proxy_valkey_calls_total{<proxy>}[$__rate_interval]))", "{{operation}}")],
          "Calls a second.", unit="ops", width=7, stacked=True),
    lines("Calls that fail", [('sum by (operation, result) (rate(proxy_valkey_calls_total{<proxy>,result!="ok"}[$__rate_interval])) > 0',
                               "{{operation}}: {{result}}")], "timeout: valkey.timeout_seconds passed; given_up: whoever asked had left, which says "
          "nothing about Valkey.", unit="ops", width=7),
    lines("How long they take, 95 %", [("histogram_quantile(0.95, sum by (le, operation) (rate(proxy_valkey_call_duration_seconds_bucket"
                                        "{<proxy>}[$__rate_interval])))", "{{operation}}")], "By operation.", unit="s", width=7)])

COGNITO = ("Cognito", [
    lines("Calls", [("sum by (operation, result) (increase(proxy_cognito_calls_total{<proxy>}[$__rate_interval]))",
                     "{{operation}}: {{result}}")], "refused: what a user or client showed is not good; misconfigured: our client is not."),
    lines("Calls that fail", [('sum by (operation, result) (increase(proxy_cognito_calls_total{<proxy>,result!~"ok|refused|given_up"}'
                               "[$__rate_interval])) > 0", "{{operation}}: {{result}}")], "For no fault of a user's."),
    lines("How long they take, 95 %", [("histogram_quantile(0.95, sum by (le, operation) (rate(proxy_cognito_call_duration_seconds_bucket"
                                        "{<proxy>}[$__rate_interval])))", "{{operation}}")], "By operation.", unit="s"),
    lines("Age of the keys", [("max by (job, issuer) (time() - (proxy_jwks_fetched_timestamp_seconds{<proxy>} > 0))", "{{job}} {{issuer}}"),
                              ("max by (job, issuer) (time() - (adapter_jwks_fetched_timestamp_seconds{<adapter>} > 0))", "{{job}} {{issuer}}")],
          "Read again every hour while they are used; older than a day they verify nothing.", unit="s")])

CONFIGURATION = ("Configuration", [
    lines("Changes", [("sum by (job, outcome) (increase(proxy_config_reloads_total{<proxy>}[$__rate_interval]))", "{{job}}: {{outcome}}"),
                      ("sum by (job, outcome) (increase(adapter_config_reloads_total{<adapter>}[$__rate_interval]))", "{{job}}: {{outcome}}")],
          "Of the configuration while running.", width=12),
    lines("Time left of the certificate", [("(proxy_certificate_not_after_timestamp_seconds{<proxy>} > 0) - time()", "{{instance}}")],
          "Nothing where something else terminates TLS.", unit="s", width=12)])

MADE = dashboard("mcp-edge-sessions", "MCP Edge: sessions", "Sessions, and what the proxy depends on to keep them.",
                 [VAULT, REFRESHES, VALKEY, COGNITO, CONFIGURATION])
