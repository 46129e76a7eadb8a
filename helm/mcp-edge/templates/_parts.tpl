{{/* The name of one part: (dict "root" $ "part" "proxy"). */}}
{{- define "mcp-edge.name" -}}
{{- $base := ternary .root.Release.Name (printf "%s-%s" .root.Release.Name .root.Chart.Name) (contains .root.Chart.Name .root.Release.Name) -}}
{{- printf "%s-%s" ($base | trunc 50 | trimSuffix "-") .part -}}
{{- end }}

{{- define "mcp-edge.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "mcp-edge.labels" -}}
{{ include "mcp-edge.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* The keys of one table as TOML. Helm reads every number as a float; all of ours are whole. */}}
{{- define "mcp-edge.toml-keys" -}}
{{- range $key, $value := . }}
{{ $key }} = {{ if kindIs "float64" $value }}{{ int64 $value }}{{ else }}{{ toJson $value }}{{ end }}
{{- end }}
{{- end }}

{{/* A configuration by sections as TOML. */}}
{{- define "mcp-edge.toml" -}}
{{- range $section, $keys := . }}
[{{ $section }}]
{{- include "mcp-edge.toml-keys" $keys }}
{{ end }}
{{- end }}

{{/* The security context of every container: the "restricted" pod security standard. */}}
{{- define "mcp-edge.restricted" -}}
allowPrivilegeEscalation: false
capabilities: { drop: [ALL] }
readOnlyRootFilesystem: true
{{- end }}

{{- define "mcp-edge.restricted-pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "mcp-edge.probes" -}}
startupProbe: { httpGet: { path: /livez, port: admin }, periodSeconds: 1, failureThreshold: 60 }
livenessProbe: { httpGet: { path: /livez, port: admin }, periodSeconds: 10 }
readinessProbe: { httpGet: { path: /readyz, port: admin }, periodSeconds: 5 }
# Time for the Service to take the pod out before it stops accepting.
lifecycle: { preStop: { sleep: { seconds: 5 } } }
{{- end }}
