{{/* What the words in <> of rules/ stand for, as YAML. Not template syntax there: Prometheus fills in {{ … }} of its own. */}}
{{- define "mcp-edge.rule-words" -}}
{{- $jobs := .Values.prometheusRule.jobs }}
{{- $proxy := $jobs.proxy | default (printf "%s-admin" (include "mcp-edge.name" (dict "root" . "part" "proxy"))) }}
{{- $adapter := $jobs.adapter | default (printf "%s-admin" (include "mcp-edge.name" (dict "root" . "part" "adapter"))) }}
proxy: 'namespace="{{ .Release.Namespace }}",job="{{ $proxy }}"'
adapter: 'namespace="{{ .Release.Namespace }}",job="{{ $adapter }}"'
both: 'namespace="{{ .Release.Namespace }}",job=~"{{ $proxy }}|{{ $adapter }}"'
{{- range $name, $value := .Values.prometheusRule.thresholds }}
{{ $name }}: "{{ $value }}"
{{- end }}
{{- end }}
