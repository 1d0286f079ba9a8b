"""The Grafana dashboards of the chart, made from a few lines a panel (`scripts/chart-test --write`)."""

import json

PER_SECOND, SECONDS, PERCENT, BYTES, COUNT = "reqps", "s", "percentunit", "bytes", "short"
# What every series is narrowed to; the variables stand at the top of each dashboard.
HERE = 'namespace=~"$namespace"'


def rate(metric: str, by: str = "", where: str = "") -> str:
    matchers = ",".join(filter(None, [HERE, where]))
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{{{matchers}}}[$__rate_interval]))"


def total(metric: str, by: str = "") -> str:
    return f"sum{f' by ({by})' if by else ''} ({metric}{{{HERE}}})"


def quantile(share: float, metric: str, by: str = "") -> str:
    labels = ", ".join(filter(None, ["le", by]))
    series = f"{metric}_bucket{{{HERE}}}[$__rate_interval]"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({series})))"


def within(metric: str, bound: str) -> str:
    fast = f'sum(rate({metric}_bucket{{{HERE},le="{bound}"}}[$__rate_interval]))'
    return f"{fast} / sum(rate({metric}_count{{{HERE}}}[$__rate_interval]))"


def quantiles(metric: str) -> list[tuple[str, str]]:
    return [(quantile(share, metric), f"p{share * 100:g}") for share in (0.5, 0.95, 0.99)]


OWN_FAULTS = 'outcome=~"internal|unavailable|timeout"'
SUCCESS = f'1 - {rate("edge_requests_total", where=OWN_FAULTS)} / {rate("edge_requests_total")}'
DONE = rate("switch_driver_operations_total", where='outcome="done"')

# Each panel: title, unit, expressions with their legends, and what it is of use for.
DASHBOARDS = {
    "overview": (
        "Cordboard: services",
        [
            ("Requests without a fault of the system's own", PERCENT, [(SUCCESS, "share")], "Objective: 99.9 %."),
            (
                "Requests answered within half a second",
                PERCENT,
                [(within("edge_request_duration_seconds", "0.5"), "share")],
                "Objective: 99 %.",
            ),
            ("Requests by method", PER_SECOND, [(rate("edge_requests_total", "method"), "{{method}}")], ""),
            (
                "Refused requests by reason",
                PER_SECOND,
                [
                    (rate("edge_requests_total", "outcome", 'outcome!="ok"'), "{{outcome}}"),
                    (rate("edge_frames_refused_total"), "no request"),
                ],
                "What clients do wrong, and what the system owes them.",
            ),
            (
                "Slowest methods, p99",
                SECONDS,
                [(f'topk(10, {quantile(0.99, "edge_request_duration_seconds", "method")})', "{{method}}")],
                "",
            ),
            ("Requests under way", COUNT, [(total("edge_requests_in_flight", "transport"), "{{transport}}")], ""),
            (
                "RPCs inside the mesh",
                PER_SECOND,
                [(rate("mesh_rpc_handled_total", "service, code"), "{{service}} {{code}}")],
                "",
            ),
            (
                "RPCs inside the mesh, p99",
                SECONDS,
                [(quantile(0.99, "mesh_rpc_duration_seconds", "service"), "{{service}}")],
                "",
            ),
            (
                "RPCs under way, and instances connected",
                COUNT,
                [
                    (total("mesh_rpc_in_flight", "service"), "{{service}} under way"),
                    (total("mesh_pool_connected", "service"), "{{service}} connected"),
                ],
                "",
            ),
            (
                "Days until certificates end",
                COUNT,
                [
                    (
                        f"(min by (certificate) (mesh_tls_certificate_expires_timestamp_seconds{{{HERE}}}) - time())"
                        " / 86400",
                        "{{certificate}}",
                    )
                ],
                "",
            ),
            ("Logins by outcome", PER_SECOND, [(rate("auth_logins_total", "outcome"), "{{outcome}}")], ""),
            ("Password checks", SECONDS, quantiles("auth_password_check_duration_seconds"), "With the wait before."),
            (
                "Refresh tokens and revocations",
                PER_SECOND,
                [
                    (rate("auth_refreshes_total", "outcome"), "refresh {{outcome}}"),
                    (rate("auth_revocations_total"), "revocations"),
                ],
                "",
            ),
        ],
    ),
    "delivery": (
        "Cordboard: delivery of events",
        [
            (
                "Events on their sockets within a quarter of a second",
                PERCENT,
                [(within("edge_event_lag_seconds", "0.25"), "share")],
                "Objective: 99 %.",
            ),
            ("Lag from the switch to the socket", SECONDS, quantiles("edge_event_lag_seconds"), ""),
            (
                "Sockets",
                COUNT,
                [(total("edge_sockets", "pod"), "{{pod}}"), (total("edge_sockets_limit"), "limit")],
                "",
            ),
            ("Subscriptions", COUNT, [(total("edge_subscriptions"), "subscriptions")], ""),
            (
                "Sockets closed and refused",
                PER_SECOND,
                [
                    (rate("edge_sockets_closed_total", "reason"), "closed: {{reason}}"),
                    (rate("edge_sockets_refused_total", "reason"), "refused: {{reason}}"),
                ],
                "",
            ),
            (
                "Events and deliveries",
                PER_SECOND,
                [
                    (rate("switch_events_total"), "written"),
                    (rate("notifier_events_read_total"), "read, all notifiers"),
                    (rate("notifier_events_sent_total"), "sent to edges"),
                    (rate("edge_events_total"), "come to edges"),
                    (rate("edge_deliveries_total"), "delivered"),
                ],
                "",
            ),
            (
                "Gaps told to subscribers",
                PER_SECOND,
                [(rate("edge_gaps_total", "reason"), "{{reason}}")],
                "Objective: none with `log_lost`.",
            ),
            (
                "Resumes and replays",
                PER_SECOND,
                [
                    (rate("edge_resumes_total"), "resumes"),
                    (rate("edge_replayed_events_total"), "replayed events"),
                    (rate("notifier_replays_total", "source"), "replays from {{source}}"),
                    (rate("notifier_replay_events_total"), "replayed by notifiers"),
                    (rate("notifier_replay_gaps_total", "reason"), "replays that found a gap: {{reason}}"),
                ],
                "",
            ),
            (
                "Backlog",
                BYTES,
                [
                    (total("edge_backlog_bytes"), "for sockets"),
                    (total("notifier_buffered_bytes"), "for edges"),
                    (total("switch_outbox_bytes"), "for the store"),
                ],
                "",
            ),
            ("Sockets behind", COUNT, [(total("edge_backlog_sockets", "pod"), "{{pod}}")], ""),
            ("Lag of notifiers", SECONDS, quantiles("notifier_event_lag_seconds"), ""),
            (
                "Streams and scopes of notifiers",
                COUNT,
                [
                    (total("notifier_streams", "pod"), "{{pod}} streams"),
                    (total("notifier_scopes", "pod"), "{{pod}} scopes"),
                    (rate("edge_notifier_streams_total"), "opened a second"),
                ],
                "",
            ),
            (
                "Shortest history of the log",
                SECONDS,
                [(f"min(notifier_history_seconds{{{HERE}}})", "history")],
                "How long a client may have been away and miss nothing.",
            ),
            (
                "Trouble with the log",
                COUNT,
                [
                    (f"max(notifier_partitions_unreachable{{{HERE}}})", "partitions out of reach"),
                    (rate("notifier_gaps_total", "reason"), "losses: {{reason}}"),
                    (rate("notifier_slow_edges_total"), "edges cut off"),
                    (rate("notifier_trims_failed_total"), "trims failed"),
                    (rate("notifier_events_unreadable_total"), "entries unreadable"),
                ],
                "",
            ),
        ],
    ),
    "calls": (
        "Cordboard: calls and queues",
        [
            ("Calls", COUNT, [(total("switch_calls"), "calls"), (total("switch_legs"), "legs")], ""),
            ("Conferences", COUNT, [(total("switch_conferences"), "conferences")], ""),
            ("Calls ended", PER_SECOND, [(rate("switch_calls_ended_total"), "calls")], ""),
            ("Legs ended, by SIP code", PER_SECOND, [(rate("switch_legs_ended_total", "code"), "{{code}}")], ""),
            (
                "Commands by method",
                PER_SECOND,
                [(rate("switch_commands_total", "method"), "{{method}}")],
                "",
            ),
            (
                "Commands by outcome",
                PER_SECOND,
                [
                    (rate("switch_commands_total", "outcome"), "{{outcome}}"),
                    (rate("switch_commands_unknown_total"), "unknown"),
                ],
                "",
            ),
            (
                "Commands, p99",
                SECONDS,
                [(quantile(0.99, "switch_command_duration_seconds", "method"), "{{method}}")],
                "With what the switch was made to do.",
            ),
            ("Calls in queues", COUNT, [(total("switch_queued_calls"), "waiting")], ""),
            (
                "Calls that left queues",
                PER_SECOND,
                [(rate("switch_queue_left_total", "reason"), "{{reason}}")],
                "",
            ),
            ("Time in queues", SECONDS, quantiles("switch_queue_wait_seconds"), ""),
            ("Customers with calls", COUNT, [(total("switch_customers", "pod"), "{{pod}}")], ""),
        ],
    ),
    "switch": (
        "Cordboard: switch",
        [
            (
                "Operations that the switch did",
                PERCENT,
                [(f'{DONE} / {rate("switch_driver_operations_total")}', "share")],
                "Objective: 99.5 %.",
            ),
            (
                "Driver latency",
                SECONDS,
                quantiles("switch_driver_operation_duration_seconds"),
                "Objective: p99 below a second.",
            ),
            (
                "Driver latency by operation, p99",
                SECONDS,
                [(quantile(0.99, "switch_driver_operation_duration_seconds", "operation"), "{{operation}}")],
                "",
            ),
            (
                "Operations by outcome",
                PER_SECOND,
                [(rate("switch_driver_operations_total", "operation, outcome"), "{{operation}} {{outcome}}")],
                "",
            ),
            ("Signals from the driver", PER_SECOND, [(rate("switch_driver_signals_total"), "signals")], ""),
            (
                "Leases",
                SECONDS,
                [(f"min by (pod) (switch_lease_remaining_seconds{{{HERE}}})", "{{pod}}")],
                "Below 0 the node counts as lost.",
            ),
            (
                "Renewals of leases",
                PER_SECOND,
                [(rate("switch_lease_renewals_total", "outcome"), "{{outcome}}")],
                "",
            ),
            (
                "Nodes",
                COUNT,
                [
                    (f"max(mesh_switch_nodes{{{HERE}}})", "that take calls"),
                    (f"sum(increase(callcontrol_nodes_swept_total{{{HERE}}}[1h]))", "lost in the last hour"),
                    (f"sum(increase(callcontrol_legs_swept_total{{{HERE}}}[1h]))", "legs lost with them"),
                ],
                "",
            ),
            (
                "Store",
                COUNT,
                [(f"min by (pod) (switch_store_reachable{{{HERE}}})", "{{pod}} reaches it")],
                "",
            ),
            (
                "Commits by outcome",
                PER_SECOND,
                [(rate("switch_commits_total", "outcome"), "{{outcome}}")],
                "",
            ),
            ("Time of a commit", SECONDS, quantiles("switch_commit_duration_seconds"), ""),
            (
                "Outbox",
                BYTES,
                [(f"max by (pod) (switch_outbox_bytes{{{HERE}}})", "{{pod}}")],
                "What waits for the store. At its bound events are dropped, and readers are told.",
            ),
            ("Outboxes folded", PER_SECOND, [(rate("switch_outbox_folded_total"), "folded")], ""),
            (
                "Commands sent to nodes",
                PER_SECOND,
                [(rate("mesh_commands_total", "outcome"), "{{outcome}}")],
                "",
            ),
            (
                "Time of a command as callcontrol sees it",
                SECONDS,
                quantiles("mesh_command_duration_seconds"),
                "",
            ),
        ],
    ),
}


def panel(number: int, title: str, unit: str, targets: list[tuple[str, str]], about: str) -> dict:
    column, line = number % 2, number // 2
    datasource = {"type": "prometheus", "uid": "${datasource}"}
    made = {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": datasource,
        "gridPos": {"x": 12 * column, "y": 8 * line, "w": 12, "h": 8},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": datasource, "expr": expr, "legendFormat": legend}
            for index, (expr, legend) in enumerate(targets)
        ],
    }
    if about:
        made["description"] = about
    return made


def dashboard(name: str) -> str:
    title, panels = DASHBOARDS[name]
    made = {
        "uid": f"cordboard-{name}",
        "title": title,
        "tags": ["cordboard"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"},
                {
                    "name": "namespace",
                    "label": "Namespace",
                    "type": "query",
                    "datasource": {"type": "prometheus", "uid": "${datasource}"},
                    "query": "label_values(edge_sockets, namespace)",
                    "includeAll": True,
                    "allValue": ".*",
                    "multi": True,
                    "refresh": 2,
                },
            ]
        },
        "panels": [panel(number, *it) for number, it in enumerate(panels)],
    }
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"
