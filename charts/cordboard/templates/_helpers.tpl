{{/*
What the services are: how they are reached, whom they call, whether they use Redis. Deployments,
Services, targets and both directions of every network policy follow from this table.

  port      where the service listens
  protocol  name of that port
  app       appProtocol of that port
  calls     services whose port it opens connections to
  redis     whether it uses Redis
  public    whether it is reached from outside
  outside   whether it reaches addresses that customers name
  stateful  whether each pod has a name of its own, as a StatefulSet gives it
  database  whether it keeps the directory
  owns      sections of the configuration that only it reads, besides the one of its name
  reads     sections of others that it reads too
*/}}
{{- define "cordboard.services" -}}
auth: {port: 7101, protocol: grpc, app: kubernetes.io/h2c, calls: [], redis: true, database: true}
callcontrol: {port: 7102, protocol: grpc, app: kubernetes.io/h2c, calls: [auth, switch], redis: true, reads: [switch, webhooks]}
conference: {port: 7103, protocol: grpc, app: kubernetes.io/h2c, calls: [auth, switch], redis: true}
edge: {port: 8080, protocol: http, app: http, calls: [auth, callcontrol, conference, notifier], public: true, owns: [api, websocket]}
notifier: {port: 7104, protocol: grpc, app: kubernetes.io/h2c, calls: [auth], redis: true, outside: true, owns: [webhooks]}
switch: {port: 7105, protocol: http, app: http, calls: [auth], redis: true, stateful: true, outside: true, reads: [webhooks]}
{{- end }}

{{/* Port of probes and metrics, of every service. */}}
{{- define "cordboard.adminPort" -}}9090{{- end }}

{{/* User and group of every container; nobody's home, no name. */}}
{{- define "cordboard.uid" -}}65532{{- end }}

{{/* What names begin with; short enough for the longest ending and a pod's hash. */}}
{{- define "cordboard.fullname" -}}
{{- $name := .Values.fullnameOverride -}}
{{- if not $name -}}
{{- $name = ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) -}}
{{- end -}}
{{- $name | trunc 34 | trimSuffix "-" -}}
{{- end }}

{{/* Labels by which pods are selected: (list ROOT COMPONENT). They never change. */}}
{{- define "cordboard.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/*
Labels of pods: (list ROOT COMPONENT). Without versions, so that a new version of the chart alone
restarts nobody: the calls of a switch node end with its pod.
*/}}
{{- define "cordboard.podLabels" -}}
{{ include "cordboard.selector" . }}
app.kubernetes.io/part-of: cordboard
{{- with (index . 0).Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Labels of every resource: (list ROOT COMPONENT). */}}
{{- define "cordboard.labels" -}}
{{- $root := index . 0 -}}
{{ include "cordboard.selector" . }}
app.kubernetes.io/part-of: cordboard
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name ($root.Chart.Version | replace "+" "_") }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Reference of the program's image. */}}
{{- define "cordboard.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Host name of a service under which each of its pods has an address: (list ROOT SERVICE). */}}
{{- define "cordboard.headlessHost" -}}
{{- $root := index . 0 -}}
{{ include "cordboard.fullname" $root }}-{{ index . 1 }}-headless.{{ $root.Release.Namespace }}.svc.{{ $root.Values.clusterDomain }}
{{- end }}

{{/* "yes" when the pod of `helm test` calls on the release, else nothing. */}}
{{- define "cordboard.testCalls" -}}
{{- $knows := or .Values.tests.call.login .Values.auth.directory.demo -}}
{{- if and .Values.tests.enabled $knows (not .Values.tls.public.secretName) -}}yes{{- end -}}
{{- end }}

{{/* "yes" when the number of a service's pods follows its load, else nothing: (list ROOT SERVICE). */}}
{{- define "cordboard.scales" -}}
{{- $values := index (index . 0).Values (index . 1) -}}
{{- $hasOneWriter := eq (include "cordboard.hasVolume" .) "true" -}}
{{- if and (dig "autoscaling" "enabled" false $values) (not $hasOneWriter) -}}yes{{- end -}}
{{- end }}

{{/* What no container may do. */}}
{{- define "cordboard.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Who runs a pod's containers: UID. */}}
{{- define "cordboard.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* How pods are spread: (list ROOT COMPONENT HASH-LABEL). */}}
{{- define "cordboard.spread" -}}
{{- $root := index . 0 -}}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- topologyKey: {{ . }}
  maxSkew: {{ $root.Values.topologySpread.maxSkew }}
  {{- /* Two pods may have to share a node; that they share a zone can be forbidden. */}}
  whenUnsatisfiable: {{ ternary $root.Values.topologySpread.whenUnsatisfiable "ScheduleAnyway" (hasSuffix "zone" .) }}
  labelSelector:
    matchLabels: {{- include "cordboard.selector" (slice $ 0 2) | nindent 6 }}
  {{- /* The pods of the release before do not count. */}}
  matchLabelKeys: [{{ index $ 2 }}]
{{- end }}
{{- end }}
