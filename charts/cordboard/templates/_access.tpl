{{/* What every service has besides its pods: (list ROOT SERVICE). */}}
{{- define "cordboard.access" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $row := index (include "cordboard.services" $root | fromYaml) $name -}}
{{- $values := index $root.Values $name -}}
{{- $full := printf "%s-%s" (include "cordboard.fullname" $root) $name -}}
{{- $isTls := ternary (ne $root.Values.tls.public.secretName "") $root.Values.tls.mesh.enabled (default false $row.public) -}}
{{- $app := ternary "https" $row.app $isTls -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $full }}
  labels: {{- include "cordboard.labels" . | nindent 4 }}
{{- /* Nothing here asks the Kubernetes API. */}}
automountServiceAccountToken: false
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $full }}
  labels: {{- include "cordboard.labels" . | nindent 4 }}
  {{- with dig "service" "annotations" dict $values }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ dig "service" "type" "ClusterIP" $values }}
  selector: {{- include "cordboard.selector" . | nindent 4 }}
  ports:
    - name: {{ $row.protocol }}
      port: {{ dig "service" "port" $row.port $values }}
      targetPort: {{ $row.protocol }}
      protocol: TCP
      appProtocol: {{ $app }}
    {{- range default list $values.realms }}
    - name: realm-{{ .realm }}
      port: {{ .port }}
      targetPort: realm-{{ .realm }}
      protocol: TCP
      appProtocol: {{ $app }}
    {{- end }}
---
{{- /* Under this name each pod has an address: gRPC is balanced by its clients. */}}
apiVersion: v1
kind: Service
metadata:
  name: {{ $full }}-headless
  labels: {{- include "cordboard.labels" . | nindent 4 }}
spec:
  clusterIP: None
  {{- /* A node that is not ready still has calls, and whoever asks whether it lives has to reach it. */}}
  publishNotReadyAddresses: {{ default false $row.stateful }}
  selector: {{- include "cordboard.selector" . | nindent 4 }}
  ports:
    - name: {{ $row.protocol }}
      port: {{ $row.port }}
      targetPort: {{ $row.protocol }}
      protocol: TCP
      appProtocol: {{ $app }}
    - name: admin
      port: {{ include "cordboard.adminPort" $root }}
      targetPort: admin
      protocol: TCP
      appProtocol: http
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $full }}
  labels: {{- include "cordboard.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ $values.maxUnavailable }}
  {{- /* A pod that does not work anyway must not hold up a node's maintenance. */}}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "cordboard.selector" . | nindent 6 }}
{{- if and $root.Values.tls.mesh.enabled $root.Values.tls.mesh.certManager.enabled }}
---
{{ include "cordboard.certificate" . }}
{{- end }}
{{- if include "cordboard.scales" . }}
---
{{ include "cordboard.autoscaler" . }}
{{- end }}
{{- if $root.Values.networkPolicy.enabled }}
---
{{ include "cordboard.networkPolicy" . }}
{{- end }}
{{- if $root.Values.serviceMonitor.enabled }}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ $full }}
  labels:
    {{- include "cordboard.labels" . | nindent 4 }}
    {{- with $root.Values.serviceMonitor.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels: {{- include "cordboard.selector" . | nindent 6 }}
  namespaceSelector:
    matchNames: [{{ $root.Release.Namespace }}]
  {{- /* Only the headless Service has this port. */}}
  endpoints:
    - port: admin
      path: /metrics
      {{- /* The mesh's own label `service` says more than the name of the headless Service. */}}
      honorLabels: true
      interval: {{ $root.Values.serviceMonitor.interval }}
{{- end }}
{{- end }}

{{/* The certificate with which a service speaks to the others: (list ROOT SERVICE). */}}
{{- define "cordboard.certificate" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $manager := $root.Values.tls.mesh.certManager -}}
{{- $domain := dig "tls" "mesh" "domain" "" $root.Values.config -}}
{{- $full := printf "%s-%s" (include "cordboard.fullname" $root) $name -}}
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: {{ $full }}
  labels: {{- include "cordboard.labels" . | nindent 4 }}
spec:
  secretName: {{ $full }}-mesh
  dnsNames: [{{ ternary (printf "%s.%s" $name $domain) $name (ne $domain "") }}]
  usages: [digital signature, server auth, client auth]
  privateKey: {algorithm: ECDSA, size: 256, rotationPolicy: Always}
  duration: {{ $manager.duration }}
  renewBefore: {{ $manager.renewBefore }}
  issuerRef: {{- toYaml $manager.issuerRef | nindent 4 }}
{{- end }}

{{/* The autoscaler of a service: (list ROOT SERVICE). */}}
{{- define "cordboard.autoscaler" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $scaling := (index $root.Values $name).autoscaling -}}
{{- $full := printf "%s-%s" (include "cordboard.fullname" $root) $name -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ $full }}
  labels: {{- include "cordboard.labels" . | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ $full }}
  minReplicas: {{ $scaling.minReplicas }}
  maxReplicas: {{ $scaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ $scaling.cpuPercent }}
    {{- if dig "sockets" "enabled" false $scaling }}
    - type: Pods
      pods:
        metric:
          name: {{ $scaling.sockets.metric }}
        target:
          type: AverageValue
          averageValue: {{ $scaling.sockets.perPod | quote }}
    {{- end }}
  behavior:
    scaleUp:
      stabilizationWindowSeconds: 0
      selectPolicy: Max
      policies:
        - {type: Percent, value: 100, periodSeconds: 30}
        - {type: Pods, value: 2, periodSeconds: 30}
    {{- /* One at a time: whoever was connected to it has to connect again. */}}
    scaleDown:
      stabilizationWindowSeconds: {{ $scaling.scaleDownSeconds }}
      selectPolicy: Min
      policies:
        - {type: Pods, value: 1, periodSeconds: 60}
{{- end }}

{{/* Who reaches a service and whom it reaches: (list ROOT SERVICE). */}}
{{- define "cordboard.networkPolicy" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $services := include "cordboard.services" $root | fromYaml -}}
{{- $row := index $services $name -}}
{{- $policy := $root.Values.networkPolicy -}}
{{- $redis := $root.Values.redis -}}
{{- $callers := list -}}
{{- range $caller, $other := $services -}}
{{- if has $name $other.calls }}{{ $callers = append $callers $caller }}{{ end -}}
{{- end -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "cordboard.fullname" $root }}-{{ $name }}
  labels: {{- include "cordboard.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "cordboard.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- if $row.public }}
    - ports:
        - {port: {{ $row.port }}, protocol: TCP}
        {{- range $root.Values.edge.realms }}
        - {port: {{ .port }}, protocol: TCP}
        {{- end }}
      {{- with $policy.edgeFrom }}
      from:
        {{- toYaml . | nindent 8 }}
        {{- if include "cordboard.testCalls" $root }}
        - podSelector:
            matchLabels: {{- include "cordboard.selector" (list $root "test") | nindent 14 }}
        {{- end }}
      {{- end }}
    {{- end }}
    {{- if $callers }}
    - ports:
        - {port: {{ $row.port }}, protocol: TCP}
      from:
        {{- range $callers }}
        - podSelector:
            matchLabels: {{- include "cordboard.selector" (list $root .) | nindent 14 }}
        {{- end }}
    {{- end }}
    {{- with $policy.metricsFrom }}
    - ports:
        - {port: {{ include "cordboard.adminPort" $root }}, protocol: TCP}
      from: {{- toYaml . | nindent 8 }}
    {{- end }}
  egress:
    - ports:
        - {port: 53, protocol: UDP}
        - {port: 53, protocol: TCP}
      to: {{- toYaml $policy.dnsTo | nindent 8 }}
    {{- range $row.calls }}
    - ports:
        - {port: {{ (index $services .).port }}, protocol: TCP}
      to:
        - podSelector:
            matchLabels: {{- include "cordboard.selector" (list $root .) | nindent 14 }}
    {{- end }}
    {{- if $row.redis }}
    {{- if $redis.internal.enabled }}
    - ports:
        - {port: 6379, protocol: TCP}
      to:
        - podSelector:
            matchLabels: {{- include "cordboard.selector" (list $root "redis") | nindent 14 }}
    {{- else }}
    - ports:
        {{- $ports := list }}
        {{- range $redis.hosts }}
        {{- $ports = append $ports (include "cordboard.redisPort" (list $root .)) }}
        {{- end }}
        {{- if $redis.sentinelMaster }}
        {{- $ports = append $ports ($redis.sentinelServerPort | int | toString) }}
        {{- end }}
        {{- range $ports | uniq }}
        - {port: {{ . }}, protocol: TCP}
        {{- end }}
      {{- with $redis.networkPolicyTo }}
      to: {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- end }}
    {{- end }}
    {{- if and $row.database $root.Values.postgresql.internal.enabled }}
    - ports:
        - {port: 5432, protocol: TCP}
      to:
        - podSelector:
            matchLabels: {{- include "cordboard.selector" (list $root "postgresql") | nindent 14 }}
    {{- else if and $row.database $root.Values.auth.database.postgres.host }}
    - ports:
        - {port: {{ int $root.Values.auth.database.postgres.port }}, protocol: TCP}
      {{- with $root.Values.auth.database.postgres.networkPolicyTo }}
      to: {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- end }}
    {{- if $row.outside }}
    - ports:
        {{- range $policy.outsidePorts }}
        - {port: {{ . }}, protocol: TCP}
        {{- end }}
      to: {{- toYaml $policy.outsideTo | nindent 8 }}
    {{- end }}
    {{- if dig "telemetry" "otlp_endpoint" "" $root.Values.config }}
    - ports:
        - {port: {{ $policy.otlpPort }}, protocol: TCP}
      to: {{- toYaml $policy.otlpTo | nindent 8 }}
    {{- end }}
{{- end }}
