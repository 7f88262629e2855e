"""The command line of the stand-in: the engine's own flags, and `--stand-in-*` for what no engine is told.

A flag that the engine's version does not know ends the process as the real one does: exit code 2 and argparse's words.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from infra.catalog.engines import FlagTable

_OWN = "--stand-in-"
_ALONE = ("switch", "boolean")  # kinds of flags that take no word after them


@dataclass(frozen=True, slots=True)
class StandIn:
    """How a stand-in behaves. Durations are in seconds of this machine, except where `time_scale` divides them.

    Attributes:
        model_name: name in the API and in the metrics.
        port: 0 takes a free one.
        port_file: gets the port as soon as it is taken, before the engine has loaded.
        shutdown_timeout: `--shutdown-timeout`, divided by `time_scale`; 0 with several API servers, which never drain.
        max_sequences: `--max-num-seqs`; more requests wait.
        max_queued_requests, max_queued_tokens: admission limits; None is none.
        load_seconds: time in which connections are refused.
        ttft_seconds, tpot_seconds: time to the first token, and for each further one.
        knee_sequences, knee_slope: of more running sequences than that each makes every token take so many times
            `tpot_seconds` longer; 0 is no limit.
        tokens: tokens of an answer whose request does not say `max_tokens`.
        slow_share, slow_factor: that share of requests takes so many times `tpot_seconds` a token.
        error_rate: share of requests that end in an error.
        time_scale: how many seconds of the flags pass in one second.
        seed: of the choice which requests are slow or fail.
    """

    model_name: str
    port: int = 0
    port_file: str = ""
    shutdown_timeout: float = 0.0
    max_sequences: int = 256
    max_queued_requests: int | None = None
    max_queued_tokens: int | None = None
    load_seconds: float = 0.0
    ttft_seconds: float = 0.02
    tpot_seconds: float = 0.005
    knee_sequences: int = 0
    knee_slope: float = 0.0
    tokens: int = 16
    slow_share: float = 0.0
    slow_factor: float = 1.0
    error_rate: float = 0.0
    time_scale: float = 1.0
    seed: int = 0


class UnknownFlagError(Exception):
    """A flag that the engine does not know.

    Attributes:
        words: as given.
    """

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__(f"unrecognized arguments: {' '.join(words)}")
        self.words = list(words)


@dataclass(slots=True)
class _Words:
    """What a command line says: positional words, the engine's flags, the stand-in's own."""

    positional: list[str] = field(default_factory=list)
    flags: dict[str, str] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)


def parse(words: Sequence[str], table: FlagTable) -> StandIn:
    """Read a command line.

    Args:
        table: the flags of the engine's version.

    Raises:
        UnknownFlagError: for a flag that is not among them.
        ValueError: for a value that is no number where one is needed, or an unknown option of the stand-in.
    """
    said = _split(words, table)
    if said.unknown:
        raise UnknownFlagError(said.unknown)
    model = said.flags.get("--served-model-name") or said.flags.get("--model") or "".join(said.positional[:1])
    own = {name.removeprefix(_OWN).replace("-", "_"): value for name, value in said.own.items()}
    wrong = sorted(set(own) - set(StandIn.__dataclass_fields__))
    if wrong:
        raise ValueError(f"the stand-in has no option {_OWN}{wrong[0].replace('_', '-')}")
    kinds = {"port": int, "port_file": str, "tokens": int, "seed": int, "knee_sequences": int}
    values = {name: kinds.get(name, float)(value) for name, value in own.items()}
    scale = float(own.get("time_scale", 1))
    return StandIn(
        model_name=model,
        shutdown_timeout=_drain_seconds(said.flags) / scale,
        max_sequences=int(said.flags.get("--max-num-seqs", 256)),
        max_queued_requests=_number(said.flags.get("--max-num-queued-reqs")),
        max_queued_tokens=_number(said.flags.get("--max-num-queued-tokens")),
        **values,
    )


def _split(words: Sequence[str], table: FlagTable) -> _Words:
    said, rest = _Words(), list(words)
    while rest:
        word = rest.pop(0)
        name, given, value = word.partition("=")
        if not name.startswith("-") or name == "-":
            said.positional.append(word)
            continue
        flag = table.find(name)
        if not given and flag and flag.kind not in _ALONE and rest and not rest[0].startswith("--"):
            value = rest.pop(0)
        if name.startswith(_OWN):
            said.own[name] = value
        elif flag:
            said.flags[flag.name] = value
        else:
            said.unknown.append(word)
    return said


def _drain_seconds(flags: Mapping[str, str]) -> float:
    """What `--shutdown-timeout` comes to. With data parallel there are as many API servers as copies unless it is said
    otherwise, and at SIGTERM several cut what runs (vLLM 0.33: entrypoints/cli/serve.py; v1/engine/core_client.py)."""
    servers = int(flags.get("--api-server-count", flags.get("--data-parallel-size", 1)))
    return 0.0 if servers > 1 else float(flags.get("--shutdown-timeout", 0))


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def refuse(error: Exception) -> int:
    """Say what is wrong as argparse does, and return its exit code."""
    print(f"vllm serve: error: {error}", file=sys.stderr, flush=True)
    return 2
