{{- define "mcp-edge.base" -}}
{{- $base := ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) -}}
{{- .Values.fullnameOverride | default $base | trunc 45 | trimSuffix "-" -}}
{{- end }}

{{/* The name of one part: (dict "root" $ "part" "proxy"). */}}
{{- define "mcp-edge.name" -}}
{{- printf "%s-%s" (include "mcp-edge.base" .root) .part -}}
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
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Name, place and labels of a part's object; `suffix` tells objects of one kind apart. The namespace is said, since others
     than Helm may apply what was rendered, and names in it (the address that Traefik asks) depend on it. */}}
{{- define "mcp-edge.metadata" -}}
name: {{ include "mcp-edge.name" . }}{{ .suffix }}
namespace: {{ .root.Release.Namespace }}
labels: {{- include "mcp-edge.labels" . | nindent 2 }}
{{- end }}

{{- define "mcp-edge.image" -}}
image: "{{ .image.repository }}{{ with .image.digest }}@{{ . }}{{ else }}:{{ .image.tag | default .root.Chart.AppVersion }}{{ end }}"
imagePullPolicy: {{ .image.pullPolicy | default "IfNotPresent" }}
{{- end }}

{{- define "mcp-edge.host" -}}
{{- trimPrefix "https://" .Values.publicUrl -}}
{{- end }}

{{/* The Secret with the certificate, or nothing where somebody else has one. */}}
{{- define "mcp-edge.tls-secret" -}}
{{- if .Values.tls.existingSecret -}}
{{- .Values.tls.existingSecret -}}
{{- else if .Values.tls.certManager.enabled -}}
{{- include "mcp-edge.base" . -}}-tls
{{- else if eq .Values.tls.terminatedBy "proxy" -}}
{{- fail "tls: the proxy needs a certificate: set tls.existingSecret or tls.certManager.enabled, or tls.terminatedBy: front" -}}
{{- end -}}
{{- end }}

{{- define "mcp-edge.vault-secret" -}}
{{- .Values.vault.existingSecret | default (printf "%s-vault" (include "mcp-edge.base" .)) -}}
{{- end }}

{{- define "mcp-edge.valkey-secret" -}}
{{- if .Values.valkey.existingSecret -}}
{{- if .Values.valkey.trial.enabled -}}
{{- fail "valkey: set existingSecret or trial.enabled, not both" -}}
{{- end -}}
{{- .Values.valkey.existingSecret -}}
{{- else if .Values.valkey.trial.enabled -}}
{{- include "mcp-edge.base" . -}}-valkey
{{- else -}}
{{- fail "valkey: set existingSecret to a Secret with the key `url`, or trial.enabled to try it out" -}}
{{- end -}}
{{- end }}

{{/* A value that a Secret in the cluster has already, or a new one: (dict "root" $ "secret" "name" "key" "keys" "fresh" "…"). */}}
{{- define "mcp-edge.kept" -}}
{{- $found := lookup "v1" "Secret" .root.Release.Namespace .secret | default dict -}}
{{- with dig "data" .key "" $found -}}{{ b64dec . }}{{- else -}}{{ .fresh }}{{- end -}}
{{- end }}

{{/* Whose account pods have: none of them asks the cluster anything. */}}
{{- define "mcp-edge.service-account" -}}
{{- .Values.serviceAccount.existingName | default (include "mcp-edge.base" .) -}}
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
securityContext: {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Where the pods of a part run: (dict "root" $ "part" "proxy" "of" .Values.proxy). */}}
{{- define "mcp-edge.placement" -}}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels: {{- include "mcp-edge.selector" $ | nindent 8 }}
  {{- end }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "priorityClassName" }}
{{- with get $.of $key }}
{{ $key }}: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{- define "mcp-edge.probes" -}}
startupProbe: { httpGet: { path: /livez, port: {{ . }} }, periodSeconds: 1, failureThreshold: 60 }
livenessProbe: { httpGet: { path: /livez, port: {{ . }} }, periodSeconds: 10 }
readinessProbe: { httpGet: { path: /readyz, port: {{ . }} }, periodSeconds: 5 }
{{- end }}

{{/* Seconds that a program may take to stop, by (list its-values its-own-drain_seconds what-is-done-after-that). */}}
{{- define "mcp-edge.stop" -}}
{{- $server := dig "server" dict (index . 0).config -}}
{{- add (dig "shutdown_delay_seconds" 0 $server) (dig "drain_seconds" (index . 1) $server) (index . 2) -}}
{{- end }}

{{/* The same of the proxy: after the drain it stores what was just refreshed. */}}
{{- define "mcp-edge.stop-proxy" -}}
{{- $config := .Values.proxy.config -}}
{{- $store := add 65 (dig "vault" "refresh_lock_seconds" 10 $config) (mul 2 (dig "cognito" "timeout_seconds" 10 $config)) -}}
{{- include "mcp-edge.stop" (list .Values.proxy 30 $store) -}}
{{- end }}

{{/* The same of the adapter: after the drain it deletes the keys it made. */}}
{{- define "mcp-edge.stop-adapter" -}}
{{- include "mcp-edge.stop" (list .Values.adapter 20 10) -}}
{{- end }}

{{/* Time for the Service to take the pod out before the program, by (list its-values its-stop), begins to stop. */}}
{{- define "mcp-edge.drain" -}}
{{- $values := index . 0 -}}
{{- $least := add $values.preStopSeconds (int (index . 1)) -}}
{{- if gt $least (int64 $values.terminationGracePeriodSeconds) -}}
{{- fail (printf "terminationGracePeriodSeconds: must be %d or more: preStopSeconds and what a stop may take (docs/operations.md, Stopping)" $least) -}}
{{- end -}}
lifecycle: { preStop: { sleep: { seconds: {{ $values.preStopSeconds }} } } }
{{- end }}
