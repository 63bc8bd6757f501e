"""What the server counts and measures, for Prometheus."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_LATENCIES = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1.0, 5.0)
_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_SECONDS_PER_DAY = 86_400


class Metrics:
    """The metrics of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.latency = Histogram(
            "shortlist_request_seconds",
            "Time from the end of a request's headers to its answer.",
            ["route", "status"],
            buckets=_LATENCIES,
            registry=self.registry,
        )
        self.batch_sizes = Histogram(
            "shortlist_batch_size", "Requests per call of the model.", buckets=_BATCHES, registry=self.registry
        )
        self.in_flight = Gauge("shortlist_requests_in_flight", "Requests being answered.", registry=self.registry)
        self.version_pushed = Gauge(
            "shortlist_version_pushed_timestamp_seconds",
            "When each version in memory was pushed.",
            ["version"],
            registry=self.registry,
        )
        self.version_age = Gauge(
            "shortlist_newest_version_age_seconds", "Age of the newest version in memory.", registry=self.registry
        )
        self.version_too_old = Gauge(
            "shortlist_newest_version_too_old", "1 if it is older than serve.max_age_days.", registry=self.registry
        )
        self.answers = self._counter("shortlist_answers", "Answers by variant.", "variant")
        self.short_answers = self._counter("shortlist_short_answers", "Answers with fewer candidates than asked for.")
        self.empty_answers = self._counter("shortlist_empty_answers", "Answers without a candidate.")
        self.unknown_ids = self._counter("shortlist_unknown_ids", "Items of histories that the model does not know.")
        self.cold_starts = self._counter("shortlist_cold_start_answers", "Answers to requests without a known history.")
        self.fallbacks = self._counter("shortlist_fallback_answers", "Popularity lists instead of the model's answer.")
        self.loaded_versions = self._counter("shortlist_loaded_versions", "Versions that took traffic.")
        self.refused_versions = self._counter("shortlist_refused_versions", "Versions that were refused.")
        self.lost_processes = self._counter("shortlist_lost_processes", "Processes of versions that crashed.")
        self.dropped_rows = self._counter("shortlist_log_dropped_rows", "Rows of the request log that were lost.")
        self.refused_requests = self._counter("shortlist_refused_requests", "Requests refused by a limit.", "status")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def exposition(self, pushed_at: float | None, max_age_days: float | None) -> bytes:
        """Returns the metrics in Prometheus' text format.

        Args:
          pushed_at: When the newest version in memory was pushed, seconds since 1970; None without one.
          max_age_days: `serve.max_age_days`.
        """
        if pushed_at is not None:
            age = max(0.0, time.time() - pushed_at)
            self.version_age.set(age)
            self.version_too_old.set(max_age_days is not None and age > max_age_days * _SECONDS_PER_DAY)
        return bytes(generate_latest(self.registry))
