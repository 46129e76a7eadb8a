{{/* What the words in <> of rules/ stand for, as YAML. Not template syntax there: Prometheus fills in {{ … }} of its own. */}}
{{- define "mcp-edge.rule-words" -}}
{{- $jobs := .Values.prometheusRule.jobs }}
{{- $proxy := $jobs.proxy | default (printf "%s-admin" (include "mcp-edge.name" (dict "root" . "part" "proxy"))) }}
{{- $adapter := $jobs.adapter | default (printf "%s-admin" (include "mcp-edge.name" (dict "root" . "part" "adapter"))) }}
proxy: 'namespace="{{ .Release.Namespace }}",job="{{ $proxy }}"'
adapter: 'namespace="{{ .Release.Namespace }}",job="{{ $adapter }}"'
both: 'namespace="{{ .Release.Namespace }}",job=~"{{ $proxy }}|{{ $adapter }}"'
{{- /* What strangers can cause without a sign-in: callbacks of the browser that they made up, clients whose document cannot be read. */}}
{{- $strangers := "cognito_error|cognito_code_missing|cognito_grant_refused|client_document_.+" }}
{{- $of := printf "namespace=\"%s\",job=\"%s\"" .Release.Namespace $proxy }}
{{- $served := printf "%s,route!~\"healthz|none|oauth_.+_metadata\",reason!~\"disabled|%s\"" $of $strangers }}
failed: '{{ $served }},outcome="failed"'
served: '{{ $served }},outcome=~"ok|failed"'
{{- range $name, $value := .Values.prometheusRule.thresholds }}
{{ $name }}: "{{ $value }}"
{{- end }}
{{- end }}
