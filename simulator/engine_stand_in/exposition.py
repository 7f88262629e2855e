"""The metrics of vLLM 0.33 as the stand-in counts them: names, types, labels and buckets, in Prometheus' text format.

Read in vLLM 0.33.0: v1/metrics/loggers.py, v1/metrics/buckets.py, entrypoints/serve/instrumentator/metrics.py. Series
of features that the stand-in does not have (prefix cache, LoRA, speculation, KV transfer) are left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

# seconds
LATENCY_BUCKETS = (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0,
                   480.0, 960.0, 1920.0, 7680.0)  # fmt: skip
TTFT_BUCKETS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0,
                80.0, 160.0, 640.0, 2560.0)  # fmt: skip
TPOT_BUCKETS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0,
                80.0)  # fmt: skip
FINISH_REASONS = ("stop", "length", "abort", "error", "repetition")
REJECTIONS = ("max_num_queued_reqs", "max_num_queued_tokens")

HISTOGRAMS = {
    "vllm:time_to_first_token_seconds": TTFT_BUCKETS,
    "vllm:inter_token_latency_seconds": TPOT_BUCKETS,
    "vllm:request_time_per_output_token_seconds": TPOT_BUCKETS,
    "vllm:e2e_request_latency_seconds": LATENCY_BUCKETS,
    "vllm:request_queue_time_seconds": LATENCY_BUCKETS,
    "vllm:request_prefill_time_seconds": LATENCY_BUCKETS,
    "vllm:request_decode_time_seconds": LATENCY_BUCKETS,
    "vllm:request_inference_time_seconds": LATENCY_BUCKETS,
}
# Gauge and the label that it has beyond `model_name` and `engine`, with its values.
GAUGES = {
    "vllm:num_requests_running": ("", ("",)),
    "vllm:num_requests_waiting": ("", ("",)),
    "vllm:num_requests_waiting_by_reason": ("reason", ("capacity", "deferred")),
    "vllm:kv_cache_usage_perc": ("", ("",)),
    "vllm:engine_sleep_state": ("sleep_state", ("awake", "weights_offloaded", "discard_all")),
}
COUNTERS = {
    "vllm:request_success_total": ("finished_reason", FINISH_REASONS),
    "vllm:prompt_tokens_total": ("", ("",)),
    "vllm:generation_tokens_total": ("", ("",)),
    "vllm:num_preemptions_total": ("", ("",)),
}
REJECTIONS_COUNTER = "vllm:admission_rejections_total"
HTTP_COUNTER = "http_requests_total"


@dataclass(slots=True)
class Histogram:
    """Observations by bucket."""

    edges: Sequence[float]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one observation."""
        if not self.counts:
            self.counts = [0] * (len(self.edges) + 1)
        self.total += seconds
        self.counts[sum(seconds > edge for edge in self.edges)] += 1

    def cumulative(self) -> Iterator[tuple[str, int]]:
        """Upper edge and number of observations up to it."""
        running = 0
        for edge, count in zip(
            [*map(str, self.edges), "+Inf"], self.counts or [0] * (len(self.edges) + 1), strict=True
        ):
            running += count
            yield edge, running


class Metrics:
    """All that one engine counts.

    Args:
        model_name: the served model's name, a label of every series.
    """

    def __init__(self, model_name: str) -> None:
        self._labels = {"model_name": model_name, "engine": "0"}
        self.histograms = {name: Histogram(edges) for name, edges in HISTOGRAMS.items()}
        self.gauges = {(name, value): 0.0 for name, (_, values) in GAUGES.items() for value in values}
        self.gauges["vllm:engine_sleep_state", "awake"] = 1.0
        self.counters = {(name, value): 0 for name, (_, values) in COUNTERS.items() for value in values}
        self.rejections = dict.fromkeys(REJECTIONS, 0)
        self.answers: dict[tuple[str, str, str], int] = {}

    def observe(self, name: str, seconds: float) -> None:
        """Count one observation of the histogram `vllm:<name>_seconds`."""
        self.histograms[f"vllm:{name}_seconds"].observe(seconds)

    def count(self, name: str, value: str = "", by: int = 1) -> None:
        """Raise the counter `vllm:<name>_total`."""
        self.counters[f"vllm:{name}_total", value] += by

    def answered(self, handler: str, method: str, status: int) -> None:
        """Count one HTTP answer; statuses are grouped, as 2xx."""
        key = (handler, method, f"{status // 100}xx")
        self.answers[key] = self.answers.get(key, 0) + 1

    def text(self) -> str:
        """Everything, in Prometheus' text format."""
        return "\n".join([*self._of_histograms(), *self._of_gauges(), *self._of_counters(), ""])

    def _of_histograms(self) -> Iterator[str]:
        for name, histogram in self.histograms.items():
            yield f"# TYPE {name} histogram"
            count = 0
            for edge, count in histogram.cumulative():
                yield f"{name}_bucket{_shown({**self._labels, 'le': edge})} {float(count)}"
            yield f"{name}_count{_shown(self._labels)} {float(count)}"
            yield f"{name}_sum{_shown(self._labels)} {histogram.total}"

    def _of_gauges(self) -> Iterator[str]:
        for name, (label, values) in GAUGES.items():
            yield f"# TYPE {name} gauge"
            for value in values:
                yield f"{name}{_shown(self._with(label, value))} {self.gauges[name, value]}"

    def _of_counters(self) -> Iterator[str]:
        for name, (label, values) in COUNTERS.items():
            yield f"# TYPE {name} counter"
            for value in values:
                yield f"{name}{_shown(self._with(label, value))} {float(self.counters[name, value])}"
        yield f"# TYPE {REJECTIONS_COUNTER} counter"
        for reason, number in self.rejections.items():
            labels = {"model_name": self._labels["model_name"], "reason": reason}
            yield f"{REJECTIONS_COUNTER}{_shown(labels)} {float(number)}"
        yield f"# TYPE {HTTP_COUNTER} counter"
        for (handler, method, status), number in self.answers.items():
            labels = {"handler": handler, "method": method, "status": status}
            yield f"{HTTP_COUNTER}{_shown(labels)} {float(number)}"

    def _with(self, label: str, value: str) -> dict[str, str]:
        return {**self._labels, label: value} if label else self._labels


def _shown(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
