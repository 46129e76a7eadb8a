{{/* The adapter's container, in pods of its own or beside the proxy. */}}
{{- define "mcp-edge.adapter-container" -}}
name: adapter
{{ include "mcp-edge.image" (dict "root" . "image" .Values.adapter.image) }}
args: [--config, /etc/mcp-edge/config/adapter.toml, serve]
env:
  # In the labels of API keys it makes at Plane.
  - { name: ADAPTER_PLANE__INSTANCE, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
  {{- with include "mcp-edge.traces-headers" (dict "root" . "prefix" "ADAPTER") }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .Values.adapter.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  - { name: mcp, containerPort: 8211 }
  - { name: adapter-admin, containerPort: 9211 }
{{ include "mcp-edge.probes" 9211 }}
resources: {{- toYaml .Values.adapter.resources | nindent 2 }}
securityContext: {{- include "mcp-edge.restricted" . | nindent 2 }}
volumeMounts:
  - { name: adapter-config, mountPath: /etc/mcp-edge/config, readOnly: true }
  {{- with .Values.adapter.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "mcp-edge.adapter-volume" -}}
- { name: adapter-config, configMap: { name: {{ include "mcp-edge.name" (dict "root" . "part" "adapter") }} } }
{{- end }}
