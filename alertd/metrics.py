"""Every metric of alertd, in one place: each help text says what a person learns from it.

Hot paths keep the children that `labels()` returns. Label values are names that an operator chose, never text of an event.
"""

from __future__ import annotations

import platform
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from alertd.timings import Timings

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
_SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class Metrics:
    """All metrics, registered in a registry of their own (never the process-wide one)."""

    def __init__(self, version: str = "") -> None:
        self.registry = CollectorRegistry()
        self._intake()
        self._kafka()
        self._decisions()
        self._issues()
        self._deliveries()
        self._follow()
        self._daemon(version)

    def _intake(self) -> None:
        own = self.registry
        self.events = Counter(
            "alertd_events",
            "Events that arrived, by source (http, kafka, sentry_sdk, simulation; of webhooks sentry, github, alertmanager, "
            "grafana, incidents; alertd: what it makes itself) and result: accepted, duplicate (an id seen before; nothing was "
            "done twice), rejected (could not be read), skipped (a record of Kafka that becomes none, such as a ping of "
            "GitHub's).",
            ["source", "result"],
            registry=own,
        )
        self.intake_queued = Gauge(
            "alertd_intake_queued_events",
            "Events that are read but not yet committed. Near alertd_intake_capacity_events the intake answers 429 and "
            "Kafka is paused.",
            registry=own,
        )
        self.intake_capacity = Gauge(
            "alertd_intake_capacity_events", "Bound of alertd_intake_queued_events.", registry=own
        )
        self.intake_refused = Counter(
            "alertd_intake_refused",
            "Requests refused whole, by reason: full (429), store (503), unauthorized (401), signature (401: a webhook "
            "whose signature is wrong or missing), forbidden (403), too_large (413), malformed (400, 415, 422), rate (429 "
            "of intake.http.rate_per_second).",
            ["reason"],
            registry=own,
        )
        self.sentry_skipped = Counter(
            "alertd_sentry_skipped_items",
            "Items of Sentry SDKs' envelopes that were answered as a success and are not kept, by item type (other: one "
            "that nobody knows).",
            ["item"],
            registry=own,
        )
        self.commit_seconds = Timings(
            "alertd_commit_seconds", "How long one commit of a batch took.", (), _SECONDS, own
        )
        self.commit_events = Timings("alertd_commit_events", "How many events one commit held.", (), _SIZES, own)
        self.commit_failures = Counter(
            "alertd_commit_failures",
            "Commits that the store could not write; nothing of them was acknowledged.",
            registry=own,
        )

    def _kafka(self) -> None:
        own = self.registry
        self.kafka_lag = Gauge(
            "alertd_kafka_lag_records",
            "Records in a partition that are not yet committed here.",
            ["topic", "partition"],
            registry=own,
        )
        self.kafka_paused = Gauge(
            "alertd_kafka_paused_partitions", "Partitions that wait because the intake is full.", registry=own
        )
        self.kafka_gave_way = Counter(
            "alertd_kafka_gave_way_seconds",
            "Seconds in which nothing was read because much waited to be delivered and the machine had no time for both.",
            registry=own,
        )
        self.kafka_rebuilds = Counter(
            "alertd_kafka_consumer_rebuilds",
            "How often the consumer was thrown away and made anew because it broke or stalled.",
            registry=own,
        )
        self.kafka_topics_missing = Gauge(
            "alertd_kafka_topics_missing",
            "Topics of the configuration that the brokers do not know: nothing is read from them.",
            registry=self.registry,
        )
        self.kafka_connected = Gauge(
            "alertd_kafka_connected",
            "1 while a consumer runs, 0 while it is being built or the broker is away.",
            registry=own,
        )

    def _decisions(self) -> None:
        own = self.registry
        self.verdicts = Counter(
            "alertd_verdicts",
            "Decisions, by subscription (default ones of projects together): sent, or the field that decided against it.",
            ["workspace", "subscription", "verdict"],
            registry=own,
        )
        self.types_unlearnt = Counter(
            "alertd_types_unlearnt",
            "Events of types that were not learnt because learnt_types_max was reached: the list of types is incomplete.",
            registry=own,
        )
        self.engine_keys = Gauge(
            "alertd_engine_keys",
            "What the engine remembers between events, by kind: cooldown, count (ladders, derived types), series (metric "
            "alerts). At 2,000,000 of a kind the longest untouched is forgotten early.",
            ["kind"],
            registry=own,
        )
        self.ruleset_channels = Gauge(
            "alertd_ruleset_channels", "Channels in the ruleset that decides now.", registry=own
        )
        self.reload_success = Gauge(
            "alertd_config_reload_success",
            "1 when the last reload was taken, 0 when its file was refused.",
            registry=own,
        )
        self.switched_off = Gauge(
            "alertd_resources_switched_off",
            "Resources of the API that this start switched off since they do not go with the configuration: 0 is good.",
            registry=own,
        )
        self.matching_fallbacks = Counter(
            "alertd_matching_fallbacks",
            "Look-ups that had to try every pattern alone because the pattern set failed its self-check.",
            registry=own,
        )

    def _issues(self) -> None:
        own = self.registry
        self.issue_transitions = Counter(
            "alertd_issue_transitions",
            "What events did to issues, by trigger: new, regression, unmuted, spike. What people do is not in it.",
            ["trigger"],
            registry=own,
        )
        self.issues_overflowed = Counter(
            "alertd_issues_overflowed",
            "Errors that would have begun an issue and went to an overflow issue instead, because their project or their "
            "workspace had begun too many within the hour, or their workspace has too many projects.",
            registry=own,
        )
        self.issues_memory = Gauge(
            "alertd_issues_memory",
            "Issues in the working set. At 10,000 the one that was not needed longest is forgotten, and read again when it is.",
            registry=own,
        )
        self.issues_evicted = Counter(
            "alertd_issues_evicted",
            "Issues that the working set forgot to keep its bound. Growing with the events: more issues are seen at a time "
            "than fit, and each costs a look into the store.",
            registry=own,
        )
        self.issues_forgotten = Counter(
            "alertd_issues_forgotten",
            "Issues deleted because nothing was heard of them for store.issue_retention_days.",
            registry=own,
        )
        self.incidents_forgotten = Counter(
            "alertd_incidents_forgotten",
            "Incidents deleted because they had been over for store.issue_retention_days.",
            registry=own,
        )
        self.incidents_open = Gauge(
            "alertd_incidents_open", "Incidents that are open or acknowledged, simulated ones left out.", registry=own
        )
        self.incidents_opened = Counter(
            "alertd_incidents_opened",
            "Incidents that were opened, by kind: issue, deploy (born resolved), reported, simulated.",
            ["kind"],
            registry=own,
        )
        self.incidents_unopened = Counter(
            "alertd_incidents_unopened", "Incidents that were not opened because too many are open.", registry=own
        )

    def _deliveries(self) -> None:
        own = self.registry
        where = ["workspace", "destination"]
        self.deliveries = Counter(
            "alertd_deliveries",
            "Deliveries that came to an end or wait again, by state: delivered, retrying, dead, cancelled.",
            [*where, "state"],
            registry=own,
        )
        self.digests = Counter(
            "alertd_digests",
            "Digests made because more deliveries waited than queue.spill_max.",
            where,
            registry=own,
        )
        self.digested = Counter(
            "alertd_digested_deliveries",
            "Deliveries that came together in digests; they are cancelled, and can be replayed.",
            where,
            registry=own,
        )
        self.attempts = Counter(
            "alertd_attempts",
            "Attempts, by outcome: delivered, retry_later, rejected, gone, ambiguous.",
            [*where, "outcome"],
            registry=own,
        )
        self.attempt_seconds = Timings("alertd_attempt_seconds", "How long attempts took.", where, _SECONDS, own)
        self.event_to_delivery_seconds = Timings(
            "alertd_event_to_delivery_seconds",
            "Time from an event's acceptance to the receiver's acceptance of its delivery, retries included.",
            (),
            _SECONDS,
            own,
        )
        self._lanes(where)

    def _lanes(self, where: list[str]) -> None:
        own = self.registry
        self.lane_depth = Gauge(
            "alertd_lane_depth", "Deliveries in a lane's memory: waiting or in flight.", where, registry=own
        )
        self.lane_capacity = Gauge("alertd_lane_capacity", "Bound of alertd_lane_depth.", where, registry=own)
        self.outbox = Gauge(
            "alertd_outbox_deliveries",
            "Deliveries in the store that are not final, by state (pending, retrying); counted every few seconds.",
            [*where, "state"],
            registry=own,
        )
        self.breaker_open = Gauge(
            "alertd_breaker_open",
            "1 while a destination failed so often that its lane only probes it.",
            where,
            registry=own,
        )
        self.destination_disabled = Gauge(
            "alertd_destination_disabled",
            "1 while a destination takes nothing: switched off, or it answered 410.",
            where,
            registry=own,
        )

    def _follow(self) -> None:
        own = self.registry
        self.stream_clients = Gauge(
            "alertd_stream_clients", "Clients that follow deliveries live; no more than 64 may.", registry=own
        )
        self.replays_running = Gauge(
            "alertd_replays_running", "Replays of many deliveries that go on; no more than 8 may.", registry=own
        )
        self.streams_ended = Counter(
            "alertd_streams_ended",
            "Live streams that ended, by reason: left (the client went), slow (it took nothing for 30 s and was cut off), "
            "stopping, token (its token is no longer good), workspace, until, store.",
            ["reason"],
            registry=own,
        )

    def _daemon(self, version: str) -> None:
        own = self.registry
        self.loop_lag_seconds = Gauge(
            "alertd_loop_lag_seconds",
            "How late the event loop ran its last one-second tick: the pause that everything else felt.",
            registry=own,
        )
        self.retained = Counter(
            "alertd_retention_deleted_events",
            "Events deleted because they were older than store.retention_days.",
            registry=own,
        )
        self.build_info = Gauge(
            "alertd_build_info", "Always 1; the labels say what runs.", ["version", "python"], registry=own
        )
        self.build_info.labels(version, platform.python_version()).set(1)
