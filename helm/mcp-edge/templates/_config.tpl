{{/* The keys of one table as TOML. Helm reads every number as a float; nearly all of ours are whole. */}}
{{- define "mcp-edge.toml-keys" -}}
{{- range $key, $value := . }}
{{ $key }} = {{ if and (kindIs "float64" $value) (eq $value (floor $value)) }}{{ int64 $value }}{{ else }}{{ toJson $value }}{{ end }}
{{- end }}
{{- end }}

{{/* A configuration by sections as TOML. */}}
{{- define "mcp-edge.toml" -}}
{{- range $section, $keys := . }}
[{{ $section }}]
{{- include "mcp-edge.toml-keys" $keys }}
{{ end }}
{{- end }}

{{/* What both programs are told of traces, as YAML. */}}
{{- define "mcp-edge.traces" -}}
{{- if .Values.traces.endpoint }}
{{- toYaml (dict "endpoint" .Values.traces.endpoint "sample_ratio" .Values.traces.sampleRatio) }}
{{- end }}
{{- end }}

{{/* The collector's headers, for the environment of the program with that prefix. */}}
{{- define "mcp-edge.traces-headers" -}}
{{- with .root.Values.traces.headersSecret -}}
- { name: {{ $.prefix }}_TRACES__HEADERS, valueFrom: { secretKeyRef: { name: {{ . }}, key: headers } } }
{{- end }}
{{- end }}

{{/* The proxy's file, as far as the chart knows better than the program's own defaults. */}}
{{- define "mcp-edge.proxy-toml" -}}
{{- $front := eq .Values.tls.terminatedBy "front" }}
{{- $cognito := dict "region" .Values.cognito.region "user_pool_id" .Values.cognito.userPoolId "client_id" .Values.cognito.clientId }}
{{- if .Values.cognito.existingSecret }}
{{- $_ := set $cognito "client_secret_file" "/etc/mcp-edge/cognito/client-secret" }}
{{- end }}
{{- $server := dict "public_url" .Values.publicUrl "listen" (ternary "0.0.0.0:8080" "0.0.0.0:8443" $front) "admin_listen" "0.0.0.0:9443" }}
{{- with .Values.proxy.trustedProxies }}
{{- $_ := set $server "trusted_proxies" . }}
{{- end }}
{{- $tls := ternary (dict "disabled" true) (dict "cert_file" "/etc/mcp-edge/tls/tls.crt" "key_file" "/etc/mcp-edge/tls/tls.key") $front }}
{{- $config := dict "server" $server "tls" $tls "cognito" $cognito "vault" (dict "keys_file" "/etc/mcp-edge/vault/keys") }}
{{- if .Values.forwardAuth.enabled }}
{{- if not .Values.forwardAuth.trustedProxies }}
{{- fail "forwardAuth.trustedProxies: name the addresses Traefik asks from" }}
{{- end }}
{{- $_ := set $config "forward_auth" (dict "listen" "0.0.0.0:8081" "trusted_proxies" .Values.forwardAuth.trustedProxies) }}
{{- end }}
{{- if .Values.valkey.caSecret }}
{{- $_ := set $config "valkey" (dict "ca_file" "/etc/mcp-edge/valkey/ca.crt") }}
{{- end }}
{{- with include "mcp-edge.traces" . | fromYaml }}
{{- $_ := set $config "traces" . }}
{{- end }}
{{- include "mcp-edge.toml" (mergeOverwrite $config (deepCopy .Values.proxy.config)) }}
{{- $sidecar := eq .Values.adapter.mode "sidecar" }}
{{- $adapter := ternary "127.0.0.1" (include "mcp-edge.name" (dict "root" . "part" "adapter")) $sidecar }}
{{- range concat (list (dict "path" "/mcp" "name" "Plane" "kind" "mcp")) .Values.proxy.routes }}
{{- $route := deepCopy . }}
{{- /* Traefik never asks about API keys: such routes go through the proxy in both ways. */}}
{{- if not (or $route.upstream (and $.Values.forwardAuth.enabled (ne $route.kind "api-key"))) }}
{{- if eq $route.kind "http" }}
{{- fail (printf "proxy.routes: %s needs an upstream" $route.path) }}
{{- end }}
{{- $_ := set $route "upstream" (printf "http://%s:8211/mcp" $adapter) }}
{{- end }}
[[routes]]
{{- include "mcp-edge.toml-keys" $route }}
{{ end }}
{{- end }}

{{- define "mcp-edge.adapter-toml" -}}
{{- $name := include "mcp-edge.name" (dict "root" . "part" "adapter") }}
{{- $sidecar := eq .Values.adapter.mode "sidecar" }}
{{- $plane := dict "base_url" .Values.plane.baseUrl }}
{{- with .Values.plane.apiUrl }}
{{- $_ := set $plane "api_url" . }}
{{- end }}
{{- with .Values.plane.workspaceSlug }}
{{- $_ := set $plane "workspace_slug" . }}
{{- end }}
{{- $server := dict "admin_listen" "0.0.0.0:9211" "listen" "0.0.0.0:8211" }}
{{- /* Requests from Traefik name the host that the client asked. */}}
{{- if .Values.forwardAuth.enabled }}
{{- $_ := set $server "allowed_hosts" (list (printf "%s:8211" $name) (include "mcp-edge.host" .)) }}
{{- else if $sidecar }}
{{- $_ := set $server "listen" "127.0.0.1:8211" }}
{{- else }}
{{- $_ := set $server "allowed_hosts" (list (printf "%s:8211" $name)) }}
{{- end }}
{{- $config := dict
  "server" $server
  "cognito" (dict "region" .Values.cognito.region "user_pool_id" .Values.cognito.userPoolId "client_ids" (list .Values.cognito.clientId))
  "plane" $plane }}
{{- $traces := include "mcp-edge.traces" . | fromYaml }}
{{- /* Traefik passes the client's own trace on: it decides no more than at the edge. */}}
{{- if .Values.forwardAuth.enabled }}
{{- $_ := set $traces "trust_parent" false }}
{{- end }}
{{- with $traces }}
{{- $_ := set $config "traces" . }}
{{- end }}
{{- include "mcp-edge.toml" (mergeOverwrite $config (deepCopy .Values.adapter.config)) }}
{{- end }}
