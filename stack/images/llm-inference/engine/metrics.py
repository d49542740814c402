"""What a scrape of the engine shows: the reference stack's own names and vLLM's, on one registry.

vLLM counts no failures; ``inference_requests_total{status}`` does.
"""

from collections.abc import Callable
from itertools import pairwise

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from engine.generation import Generation
from engine.scheduler import Scheduler

# vLLM's own bounds, the longest left out, so that queries written for it mean the same here.
TTFT_S = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0)
GAP_S = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0)
LATENCY_S = (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0)

# How a request ended, and the status it counts under.
STATUSES = {
    "stop": "success",
    "length": "success",
    "abort": "aborted",
    "cancelled": "cancelled",
    "refused": "refused",
}


class Metrics:
    """The instruments of one engine; gauges are read from its scheduler when somebody looks."""

    def __init__(self, scheduler: Scheduler, *, model_name: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._model_name = model_name

        self._live("vllm:num_requests_running", "Requests in the batch.", lambda: len(scheduler.running))
        self._live("vllm:num_requests_waiting", "Requests in the queue.", lambda: len(scheduler.waiting))
        self._live("vllm:kv_cache_usage_perc", "Share of the cache in use.", lambda: scheduler.kv_usage)
        self._live("llm_request_queue_length", "Requests in the queue.", lambda: len(scheduler.waiting))
        self._live("inference_request_in_flight", "Requests queued or running.", lambda: scheduler.size)

        self._ttft = self._histogram("vllm:time_to_first_token_seconds", "Received to first token.", TTFT_S)
        self._gap = self._histogram("vllm:inter_token_latency_seconds", "Token to next token.", GAP_S)
        self._latency = self._histogram("vllm:e2e_request_latency_seconds", "Received to end.", LATENCY_S)
        self._duration = self._histogram("inference_request_duration_seconds", "Received to end.", LATENCY_S)
        self._prompt_tokens = self._counter("vllm:prompt_tokens", "Prompt tokens of finished requests.")
        self._generated_tokens = self._counter("vllm:generation_tokens", "Tokens made.")
        self._preemptions = self._counter("vllm:num_preemptions", "Sequences that lost their cache.")
        self._success = Counter(
            "vllm:request_success",
            "Requests ended.",
            ["model_name", "finished_reason"],
            registry=self.registry,
        )
        self._requests = Counter("inference_requests", "Requests ended.", ["status"], registry=self.registry)
        for status in dict.fromkeys([*STATUSES.values(), "error"]):
            self._requests.labels(status)  # a series that has not happened yet is 0, not absent

    def token_made(self) -> None:
        """One more token out of the model."""
        self._generated_tokens.inc()

    def preempted(self, count: int) -> None:
        """So many sequences lost their cache in one step."""
        self._preemptions.inc(count)

    def invalid(self) -> None:
        """A request that could not be understood."""
        self._requests.labels("error").inc()

    def ended(self, generation: Generation) -> None:
        """Count a generation that is over, by its stamps."""
        finish = generation.finish or "cancelled"
        self._requests.labels(STATUSES[finish]).inc()
        if finish == "refused":
            return
        stamps = [generation.received_s, *generation.sent_s]
        for position, (before_s, after_s) in enumerate(pairwise(stamps)):
            (self._gap if position else self._ttft).observe(after_s - before_s)
        duration_s = generation.end_s - generation.received_s
        self._duration.observe(duration_s)
        if finish != "cancelled":
            self._latency.observe(duration_s)
            self._prompt_tokens.inc(generation.sequence.prompt_tokens)
            self._success.labels(self._model_name, finish).inc()

    def _live(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A gauge that is computed when it is scraped."""
        gauge = Gauge(name, text, ["model_name"], registry=self.registry)
        gauge.labels(self._model_name).set_function(value)

    def _histogram(self, name: str, text: str, bounds_s: tuple[float, ...]) -> Histogram:
        """A histogram of seconds."""
        histogram = Histogram(name, text, ["model_name"], registry=self.registry, buckets=bounds_s)
        return histogram.labels(self._model_name)

    def _counter(self, name: str, text: str) -> Counter:
        """A counter; its name on the wire ends in ``_total``."""
        return Counter(name, text, ["model_name"], registry=self.registry).labels(self._model_name)
