{{- define "databricks-mcp-server.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "databricks-mcp-server.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "databricks-mcp-server.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "databricks-mcp-server.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "databricks-mcp-server.selector" -}}
app.kubernetes.io/name: {{ include "databricks-mcp-server.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "databricks-mcp-server.labels" -}}
{{ include "databricks-mcp-server.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "databricks-mcp-server.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "databricks-mcp-server.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{/* The image, by digest where there is one. */}}
{{- define "databricks-mcp-server.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end }}

{{/* The host of the public URL. */}}
{{- define "databricks-mcp-server.host" -}}
{{- (urlParse (required "server.publicUrl is needed: the URL by which clients reach the server, such as https://mcp.acme.test/mcp" .Values.server.publicUrl)).host -}}
{{- end }}

{{/* What a probe gets: [root, path]. The port for clients wants one of the server's names, and the kubelet would name the pod's address. */}}
{{- define "databricks-mcp-server.get" -}}
{{- $root := first . -}}
path: {{ last . }}
{{- if $root.Values.metrics.enabled }}
port: metrics
{{- else }}
port: http
scheme: {{ ternary "HTTPS" "HTTP" (ne $root.Values.tls.existingSecret "") }}
httpHeaders: [{ name: Host, value: {{ include "databricks-mcp-server.host" $root | quote }} }]
{{- end }}
{{- end }}

{{/* Whether several replicas share the requests. */}}
{{- define "databricks-mcp-server.several" -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicaCount) 1) }}true{{ end -}}
{{- end }}

{{- define "databricks-mcp-server.sessions" -}}
{{- if eq (toString .Values.server.sessions) "true" }}true
{{- else if and (eq (toString .Values.server.sessions) "auto") (not (include "databricks-mcp-server.several" .)) }}true
{{- end -}}
{{- end }}

{{- define "databricks-mcp-server.keysSecret" -}}
{{- default (printf "%s-keys" (include "databricks-mcp-server.fullname" .)) .Values.server.keys.existingSecret -}}
{{- end }}

{{/* What no schema can say. */}}
{{- define "databricks-mcp-server.check" -}}
{{- $_ := include "databricks-mcp-server.host" . }}
{{- if and .Values.sandbox (include "databricks-mcp-server.several" .) }}
{{- fail "sandbox: each replica has a sandbox of its own, so set replicaCount=1 and autoscaling.enabled=false" }}
{{- end }}
{{- if and (eq .Values.server.auth "bearer") (not .Values.server.keys.existingSecret) (not .Values.server.keys.entries) }}
{{- fail "server.auth=bearer: set server.keys.existingSecret, or server.keys.entries" }}
{{- end }}
{{- if and (include "databricks-mcp-server.several" .) (not .Values.server.signingKeys.existingSecret) }}
{{- fail "several replicas: set server.signingKeys.existingSecret, as one has to open what another has sealed" }}
{{- end }}
{{- if and (eq .Values.server.auth "oauth") (not .Values.server.oauth.issuer) }}
{{- fail "server.auth=oauth: set server.oauth.issuer" }}
{{- end }}
{{- if and (eq .Values.server.callAs "exchange") (ne .Values.server.auth "oauth") }}
{{- fail "server.callAs=exchange: set server.auth=oauth, whose tokens are exchanged" }}
{{- end }}
{{- if and (not .Values.sandbox) (not .Values.databricks.host) (ne .Values.databricks.credentials "secretFile") }}
{{- fail "databricks.host is needed: the workspace, such as https://acme.cloud.databricks.com" }}
{{- end }}
{{- if and (eq .Values.databricks.credentials "none") (ne .Values.server.callAs "header") (not .Values.sandbox) }}
{{- fail "databricks.credentials=none: calls need an identity; set server.callAs=header, or give credentials" }}
{{- end }}
{{- if and (eq .Values.databricks.credentials "workloadIdentity") (not .Values.databricks.workloadIdentity.clientId) }}
{{- fail "databricks.credentials=workloadIdentity: set databricks.workloadIdentity.clientId, of the service principal" }}
{{- end }}
{{- end }}
