{{/* Refuses what would give clients an error page instead of a sign-in. */}}
{{- define "mcp-edge.expose-checked" -}}
{{- if ne .Values.tls.terminatedBy "front" -}}
{{- fail "expose: routes of Traefik and of gateways speak plain http to the proxy: set tls.terminatedBy: front" -}}
{{- end -}}
{{- if and .Values.expose.rest (not .Values.forwardAuth.enabled) -}}
{{- fail "expose.rest: is for forwardAuth.enabled; inline, the proxy sends routes of kind http on by itself" -}}
{{- end -}}
{{- end }}

{{/* The middlewares of a request that the proxy is asked about, in the order that makes it safe, as YAML {list: […]}:
     1 the client's token becomes the ID token, 2 whatever else could name a user goes, 3 oauth2-proxy names the user. */}}
{{- define "mcp-edge.middlewares" -}}
{{- $base := include "mcp-edge.base" . }}
{{- $existing := .Values.expose.oauth2Proxy.existingMiddleware }}
list:
  - name: {{ $base }}-forward-auth
  - name: {{ $base }}-token-only
  - name: {{ $existing.name | default (printf "%s-oauth2-proxy" $base) }}
    {{- with $existing.namespace }}
    namespace: {{ . }}
    {{- end }}
{{- end }}

{{/* The paths of API-key routes, which Traefik sends to the proxy also with ForwardAuth, as YAML {list: […]}. */}}
{{- define "mcp-edge.key-paths" -}}
list:
{{- range .Values.proxy.routes }}
{{- if eq .kind "api-key" }}
  - {{ .path }}
{{- end }}
{{- end }}
{{- end }}

{{- define "mcp-edge.public-port" -}}
{{- .Values.proxy.service.port | default 80 -}}
{{- end }}
