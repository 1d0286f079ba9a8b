{{/*
A map as TOML: (list PREFIX MAP). JSON's texts, numbers, booleans and lists are TOML's too, and
Helm's own `toToml` would write whole numbers as fractions.
*/}}
{{- define "cordboard.table" -}}
{{- $prefix := index . 0 -}}
{{- $map := index . 1 -}}
{{- range $key, $value := $map }}
{{- if and (kindIs "slice" $value) (kindIs "map" (first $value)) }}
{{ $key }} = [
{{- range $value }}
{{- $fields := list }}
{{- range $name, $field := . }}
{{- $fields = append $fields (printf "%s = %s" $name (mustToJson $field)) }}
{{- end }}
  {{ printf "{%s}," (join ", " $fields) }}
{{- end }}
]
{{- else if not (kindIs "map" $value) }}
{{ $key }} = {{ $value | mustToJson }}
{{- end }}
{{- end }}
{{- range $key, $value := $map }}
{{- if kindIs "map" $value }}
{{- $path := ternary $key (printf "%s.%s" $prefix $key) (empty $prefix) }}

[{{ $path }}]
{{- include "cordboard.table" (list $path $value) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Address of the Redis, without the password. */}}
{{- define "cordboard.redisUrl" -}}
{{- $redis := .Values.redis -}}
{{- if $redis.internal.enabled -}}
redis://{{ include "cordboard.fullname" . }}-redis.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}:6379
{{- else -}}
{{- $user := ternary (printf "%s@" $redis.username) "" (ne $redis.username "") -}}
{{- $hosts := list -}}
{{- range $redis.hosts -}}
{{- $hosts = append $hosts (printf "%s:%d" .host (int (include "cordboard.redisPort" (list $ .)))) -}}
{{- end -}}
{{- if $redis.sentinelMaster -}}
redis+sentinel://{{ $user }}{{ join "," $hosts }}/{{ $redis.sentinelMaster }}/{{ int $redis.database }}
{{- else -}}
redis://{{ $user }}{{ first $hosts }}/{{ int $redis.database }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Port of one of `redis.hosts`: (list ROOT HOST). */}}
{{- define "cordboard.redisPort" -}}
{{- $standard := ternary 26379 6379 (ne (index . 0).Values.redis.sentinelMaster "") -}}
{{- (index . 1).port | default $standard | int -}}
{{- end }}

{{/*
The PostgreSQL of the directory, as YAML in the form of `auth.database.postgres`: yours, or the one inside the
release. Without a host there is none.
*/}}
{{- define "cordboard.postgres" -}}
{{- $internal := .Values.postgresql.internal -}}
{{- $postgres := deepCopy .Values.auth.database.postgres -}}
{{- if $internal.enabled -}}
{{- $full := printf "%s-postgresql" (include "cordboard.fullname" .) -}}
{{- $secret := dict "name" $full "key" "password" -}}
{{- if $internal.passwordSecret.name -}}
{{- $secret = $internal.passwordSecret -}}
{{- end -}}
{{- $host := printf "%s.%s.svc.%s" $full .Release.Namespace .Values.clusterDomain -}}
{{- $postgres = dict "host" $host "port" 5432 "database" "cordboard" "username" "cordboard" "sslMode" "disable" "passwordSecret" $secret "caSecret" (dict "name" "") -}}
{{- end -}}
{{- toYaml $postgres -}}
{{- end }}

{{/* Address of the directory's database, without the password. */}}
{{- define "cordboard.databaseUrl" -}}
{{- $postgres := include "cordboard.postgres" . | fromYaml -}}
{{- if $postgres.host -}}
postgres://{{ $postgres.username }}@{{ $postgres.host }}:{{ int $postgres.port }}/{{ $postgres.database }}?sslmode={{ $postgres.sslMode }}
{{- if $postgres.caSecret.name -}}&sslrootcert=/etc/cordboard/database-ca/ca.crt{{- end -}}
{{- else -}}
sqlite:///var/lib/cordboard/directory.db
{{- end -}}
{{- end }}

{{/* `true` for the service that keeps SQLite on a volume: (list ROOT SERVICE). */}}
{{- define "cordboard.hasVolume" -}}
{{- $row := index (include "cordboard.services" (index . 0) | fromYaml) (index . 1) -}}
{{- and (default false $row.database) (not (include "cordboard.postgres" (index . 0) | fromYaml).host) -}}
{{- end }}

{{/* What a container that opens the database needs of files: (list ROOT SERVICE). */}}
{{- define "cordboard.databaseMounts" -}}
{{- $postgres := include "cordboard.postgres" (index . 0) | fromYaml -}}
{{- if eq (include "cordboard.hasVolume" .) "true" }}
- {name: data, mountPath: /var/lib/cordboard}
- {name: tmp, mountPath: /tmp}
{{- end }}
{{- if and $postgres.host $postgres.passwordSecret.name }}
- {name: database-password, mountPath: /etc/cordboard/database, readOnly: true}
{{- end }}
{{- if and $postgres.host $postgres.caSecret.name }}
- {name: database-ca, mountPath: /etc/cordboard/database-ca, readOnly: true}
{{- end }}
{{- end }}

{{/* The whole configuration as YAML: the values' `config`, and what follows from the other values. */}}
{{- define "cordboard.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $targets := dict -}}
{{- range $name, $row := include "cordboard.services" . | fromYaml -}}
{{- if not (or $row.public $row.stateful) -}}
{{- $host := include "cordboard.headlessHost" (list $ $name) -}}
{{- $_ := set $targets $name (list (printf "http://%s:%d" $host (int $row.port))) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $config "targets" $targets -}}
{{- $redis := dict "url" (include "cordboard.redisUrl" .) -}}
{{- if and .Values.redis.passwordSecret.name (not .Values.redis.internal.enabled) -}}
{{- $_ := set $redis "password_file" "/etc/cordboard/redis/password" -}}
{{- end -}}
{{- $database := dict "url" (include "cordboard.databaseUrl" .) -}}
{{- $postgres := include "cordboard.postgres" . | fromYaml -}}
{{- if and $postgres.host $postgres.passwordSecret.name -}}
{{- $_ := set $database "password_file" "/etc/cordboard/database/password" -}}
{{- end -}}
{{- $tls := dict -}}
{{- if .Values.tls.public.secretName -}}
{{- $_ := set $tls "public" (dict "certificate_file" "/etc/cordboard/public/tls.crt" "key_file" "/etc/cordboard/public/tls.key") -}}
{{- end -}}
{{- if .Values.tls.mesh.enabled -}}
{{- $_ := set $tls "mesh" (dict "certificate_file" "/etc/cordboard/mesh/tls.crt" "key_file" "/etc/cordboard/mesh/tls.key" "ca_file" "/etc/cordboard/mesh/ca.crt") -}}
{{- end -}}
{{- if $tls -}}
{{- $config = mergeOverwrite $config (dict "tls" $tls) -}}
{{- end -}}
{{- $listeners := list -}}
{{- range .Values.edge.realms -}}
{{- $listeners = append $listeners (dict "listen" (printf "0.0.0.0:%d" (int .port)) "realm" .realm) -}}
{{- end -}}
{{- if $listeners -}}
{{- $config = mergeOverwrite $config (dict "edge" (dict "listeners" $listeners)) -}}
{{- end -}}
{{- $recordings := dict "folder" "/var/lib/cordboard/recordings" "max_bytes" (include "cordboard.recordingsBytes" . | int64) -}}
{{- $switch := dict "recordings" $recordings -}}
{{- if or .Values.switch.prompts.configMapName .Values.switch.prompts.claimName -}}
{{- $_ := set $switch "prompts" (dict "folder" "/etc/cordboard/prompts") -}}
{{- end -}}
{{- $chart := dict "event_log" (dict "redis" $redis) "auth" (dict "database" $database) "switch" $switch -}}
{{- mergeOverwrite $config $chart | toYaml -}}
{{- end }}

{{/*
Bytes that a node's recordings may have: nine tenths of their volume, so that the oldest have gone before a
running recording fills it. A pod whose emptyDir is full is evicted, and its calls with it.
*/}}
{{- define "cordboard.recordingsBytes" -}}
{{- div (mul (int64 .Values.switch.recordings.sizeGi) 1073741824 9) 10 -}}
{{- end }}

{{/* `cordboard.toml`, one file for all services. */}}
{{- define "cordboard.toml" -}}
{{- include "cordboard.table" (list "" (include "cordboard.config" . | fromYaml)) | trim }}
{{- end }}

{{/*
What a service reads of the configuration: (list ROOT SERVICE): what is nobody's own, its own section,
and what the table says. A change of anything else must not restart it: a limit of the edge is no reason
to end the calls of a switch node.
*/}}
{{- define "cordboard.configOf" -}}
{{- $services := include "cordboard.services" (index . 0) | fromYaml -}}
{{- $this := index $services (index . 1) -}}
{{- $config := include "cordboard.config" (index . 0) | fromYaml -}}
{{- range $name, $row := $services -}}
{{- range prepend (default list $row.owns) $name -}}
{{- if not (has . (concat (list (index $ 1)) (default list $this.owns) (default list $this.reads))) -}}
{{- $config = omit $config . -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not $this.redis -}}
{{- $config = omit $config "event_log" -}}
{{- end -}}
{{- toJson $config -}}
{{- end }}
