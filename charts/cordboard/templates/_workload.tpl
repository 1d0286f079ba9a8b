{{/* The Deployment, or StatefulSet, of a service: (list ROOT SERVICE). */}}
{{- define "cordboard.workload" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $row := index (include "cordboard.services" $root | fromYaml) $name -}}
{{- $values := index $root.Values $name -}}
{{- $full := printf "%s-%s" (include "cordboard.fullname" $root) $name -}}
apiVersion: apps/v1
kind: {{ ternary "StatefulSet" "Deployment" (default false $row.stateful) }}
metadata:
  name: {{ $full }}
  labels: {{- include "cordboard.labels" . | nindent 4 }}
spec:
  {{- /* An autoscaler has the number in its hands; a rollout must not set it back. */}}
  {{- if not (include "cordboard.scales" .) }}
  replicas: {{ $values.replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  {{- if $row.stateful }}
  serviceName: {{ $full }}-headless
  {{- /* Nodes know nothing of each other: none has to wait. */}}
  podManagementPolicy: Parallel
  updateStrategy:
    type: {{ $values.updateStrategy }}
  {{- else if eq (include "cordboard.hasVolume" .) "true" }}
  {{- /* SQLite has one writer: the old pod goes before the new one comes. */}}
  strategy:
    type: Recreate
  {{- else }}
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
  {{- end }}
  selector:
    matchLabels: {{- include "cordboard.selector" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "cordboard.podLabels" . | nindent 8 }}
      annotations:
        checksum/config: {{ include "cordboard.configOf" . | sha256sum }}
        {{- if dig "directory" "demo" false $values }}
        checksum/directory: {{ $root.Files.Get "files/demo-directory.toml" | sha256sum }}
        {{- end }}
        {{- with $values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec: {{- include "cordboard.pod" . | nindent 6 }}
  {{- if and $row.stateful $values.recordings.persistent }}
  {{- /* A node's claim stays when the node goes, and is there again when it comes back. */}}
  volumeClaimTemplates:
    - metadata:
        name: recordings
        labels: {{- include "cordboard.selector" . | nindent 10 }}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $values.recordings.storageClassName }}
        storageClassName: {{ . }}
        {{- end }}
        resources:
          requests:
            storage: {{ $values.recordings.sizeGi }}Gi
  {{- end }}
{{- end }}

{{/* The pod of a service: (list ROOT SERVICE). */}}
{{- define "cordboard.pod" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $row := index (include "cordboard.services" $root | fromYaml) $name -}}
{{- $values := index $root.Values $name -}}
{{- $full := printf "%s-%s" (include "cordboard.fullname" $root) $name -}}
{{- $hasVolume := eq (include "cordboard.hasVolume" .) "true" -}}
{{- $postgres := include "cordboard.postgres" $root | fromYaml -}}
{{- $hasDatabasePassword := and $row.database $postgres.host $postgres.passwordSecret.name -}}
{{- $hasDatabaseCa := and $row.database $postgres.host $postgres.caSecret.name -}}
{{- $prompts := dig "prompts" dict $values -}}
{{- $hasPrompts := or $prompts.configMapName $prompts.claimName -}}
{{- $hasDirectory := and $row.database (or $values.directory.secretName $values.directory.demo) -}}
{{- $hasPublicTls := and $row.public $root.Values.tls.public.secretName -}}
{{- $hasPassword := and $row.redis $root.Values.redis.passwordSecret.name (not $root.Values.redis.internal.enabled) -}}
{{- $hasSecrets := and (eq $name "notifier") $root.Values.webhooks.secretsSecret.name -}}
serviceAccountName: {{ $full }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
terminationGracePeriodSeconds: {{ $root.Values.terminationGracePeriodSeconds }}
securityContext: {{- include "cordboard.podSecurity" (include "cordboard.uid" $root) | nindent 2 }}
{{- /* The mesh's names are complete; with the usual five dots each look-up would ask four times. */}}
dnsConfig:
  options:
    - name: ndots
      value: "2"
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  {{- $hash := ternary "controller-revision-hash" "pod-template-hash" (default false $row.stateful) }}
  {{- include "cordboard.spread" (append . $hash) | trim | nindent 2 }}
{{- if $hasDirectory }}
initContainers:
  - name: import-directory
    image: {{ include "cordboard.image" $root }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args:
      - admin
      - import
      - /etc/cordboard/directory/directory.toml
      - --database={{ include "cordboard.databaseUrl" $root }}
      {{- if $hasDatabasePassword }}
      - --database-password-file=/etc/cordboard/database/password
      {{- end }}
    securityContext: {{- include "cordboard.containerSecurity" $root | nindent 6 }}
    resources: {{- toYaml $values.resources | nindent 6 }}
    volumeMounts:
      - {name: directory, mountPath: /etc/cordboard/directory, readOnly: true}
      {{- include "cordboard.databaseMounts" . | trim | nindent 6 }}
{{- end }}
containers:
  - name: {{ $name }}
    image: {{ include "cordboard.image" $root }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    args:
      - {{ $name }}
      - --config=/etc/cordboard/cordboard.toml
      - --listen=0.0.0.0:{{ $row.port }}
      - --admin-listen=0.0.0.0:{{ include "cordboard.adminPort" $root }}
    {{- if $row.stateful }}
    env:
      - name: CORDBOARD__SWITCH__NODE
        valueFrom:
          fieldRef:
            fieldPath: metadata.name
      - name: CORDBOARD__SWITCH__JOURNAL
        value: /var/lib/cordboard/accounting
      - name: CORDBOARD__SWITCH__ADVERTISE
        value: http://$(CORDBOARD__SWITCH__NODE).{{ include "cordboard.headlessHost" . }}:{{ $row.port }}
    {{- end }}
    ports:
      - {name: {{ $row.protocol }}, containerPort: {{ $row.port }}, protocol: TCP}
      {{- range default list $values.realms }}
      - {name: realm-{{ .realm }}, containerPort: {{ .port }}, protocol: TCP}
      {{- end }}
      - {name: admin, containerPort: {{ include "cordboard.adminPort" $root }}, protocol: TCP}
    {{- /* Five minutes for what it needs to come up; a restart would not make that faster. */}}
    startupProbe:
      httpGet: {path: /readyz, port: admin}
      periodSeconds: 2
      timeoutSeconds: 2
      failureThreshold: 150
    {{- /* What the service needs being away takes it out of its Service and is no reason to restart it. */}}
    readinessProbe:
      httpGet: {path: /readyz, port: admin}
      periodSeconds: 5
      timeoutSeconds: 2
      failureThreshold: 2
    livenessProbe:
      httpGet: {path: /livez, port: admin}
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 3
    {{- /* The program stops accepting at once when told to stop: first everybody has to know. */}}
    lifecycle:
      preStop:
        sleep:
          seconds: {{ $root.Values.preStopSeconds }}
    securityContext: {{- include "cordboard.containerSecurity" $root | nindent 6 }}
    resources: {{- toYaml $values.resources | nindent 6 }}
    volumeMounts:
      - {name: config, mountPath: /etc/cordboard/cordboard.toml, subPath: cordboard.toml, readOnly: true}
      {{- if $hasPassword }}
      - {name: redis-password, mountPath: /etc/cordboard/redis, readOnly: true}
      {{- end }}
      {{- if $hasPublicTls }}
      - {name: public-tls, mountPath: /etc/cordboard/public, readOnly: true}
      {{- end }}
      {{- if $root.Values.tls.mesh.enabled }}
      - {name: mesh-tls, mountPath: /etc/cordboard/mesh, readOnly: true}
      {{- end }}
      {{- if $hasSecrets }}
      - {name: webhook-secrets, mountPath: /etc/cordboard/webhooks, readOnly: true}
      {{- end }}
      {{- if $row.database }}
      {{- include "cordboard.databaseMounts" . | trim | nindent 6 }}
      {{- end }}
      {{- if $row.stateful }}
      - {name: journal, mountPath: /var/lib/cordboard}
      - {name: recordings, mountPath: /var/lib/cordboard/recordings}
      {{- end }}
      {{- if $hasPrompts }}
      - {name: prompts, mountPath: /etc/cordboard/prompts, readOnly: true}
      {{- end }}
volumes:
  - name: config
    configMap:
      name: {{ include "cordboard.fullname" $root }}-config
  {{- if $hasPassword }}
  - name: redis-password
    secret:
      secretName: {{ $root.Values.redis.passwordSecret.name }}
      defaultMode: 0440
      items:
        - {key: {{ $root.Values.redis.passwordSecret.key | quote }}, path: password}
  {{- end }}
  {{- /* Whole folders, which the kubelet renews; a file by `subPath` would stay as it was. */}}
  {{- if $hasPublicTls }}
  - name: public-tls
    secret:
      secretName: {{ $root.Values.tls.public.secretName }}
      defaultMode: 0440
  {{- end }}
  {{- if $root.Values.tls.mesh.enabled }}
  - name: mesh-tls
    secret:
      secretName: {{ $full }}-mesh
      defaultMode: 0440
  {{- end }}
  {{- if $hasDatabasePassword }}
  - name: database-password
    secret:
      secretName: {{ $postgres.passwordSecret.name }}
      defaultMode: 0440
      items:
        - {key: {{ $postgres.passwordSecret.key | quote }}, path: password}
  {{- end }}
  {{- if $hasDatabaseCa }}
  - name: database-ca
    secret:
      secretName: {{ $postgres.caSecret.name }}
      defaultMode: 0440
      items:
        - {key: {{ $postgres.caSecret.key | quote }}, path: ca.crt}
  {{- end }}
  {{- if $hasSecrets }}
  - name: webhook-secrets
    secret:
      secretName: {{ $root.Values.webhooks.secretsSecret.name }}
      defaultMode: 0440
      items:
        - {key: {{ $root.Values.webhooks.secretsSecret.key | quote }}, path: secrets}
  {{- end }}
  {{- if $hasVolume }}
  - name: data
    persistentVolumeClaim:
      claimName: {{ $values.database.existingClaim | default (printf "%s-data" $full) }}
  {{- /* Where SQLite puts what does not fit its memory. */}}
  - name: tmp
    emptyDir:
      sizeLimit: 256Mi
  {{- end }}
  {{- if $row.stateful }}
  {{- /* Accounting records until auth has them: it outlives the container, not the pod. */}}
  - name: journal
    emptyDir:
      sizeLimit: 1Gi
  {{- if not $values.recordings.persistent }}
  - name: recordings
    emptyDir:
      sizeLimit: {{ $values.recordings.sizeGi }}Gi
  {{- end }}
  {{- end }}
  {{- if $hasPrompts }}
  - name: prompts
    {{- if $prompts.configMapName }}
    configMap:
      name: {{ $prompts.configMapName }}
    {{- else }}
    persistentVolumeClaim:
      claimName: {{ $prompts.claimName }}
      readOnly: true
    {{- end }}
  {{- end }}
  {{- if $hasDirectory }}
  - name: directory
    {{- if $values.directory.demo }}
    configMap:
      name: {{ include "cordboard.fullname" $root }}-demo-directory
    {{- else }}
    secret:
      secretName: {{ $values.directory.secretName }}
      defaultMode: 0440
      items:
        - {key: {{ $values.directory.key | quote }}, path: directory.toml}
    {{- end }}
  {{- end }}
{{- end }}
