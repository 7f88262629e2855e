"""The records of the engine table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

EngineName = Literal["vllm", "sglang", "tgi", "triton-tensorrt-llm", "trtllm-serve", "custom"]
ENGINE_NAMES: tuple[EngineName, ...] = ("vllm", "sglang", "tgi", "triton-tensorrt-llm", "trtllm-serve", "custom")

# How the value of an option becomes arguments: `--flag=value`; `--flag`; `--flag a b`; `--flag=a,b`; JSON; GiB as
# bytes; GiB as a whole number; the number of GPUs where the option only says yes.
Form = Literal["value", "switch", "words", "commas", "json", "bytes", "whole", "size"]

# What a flag takes: nothing, a value of a type, several words, or a word that may be missing.
Kind = Literal["switch", "boolean", "integer", "number", "text", "json", "list", "optional"]

# What becomes of running requests after SIGTERM: bounded by a flag; finished without a limit; not known.
Draining = Literal["flag", "waits", "unknown"]


@dataclass(frozen=True, slots=True)
class Option:
    """What an option of ours is called by one engine.

    Attributes:
        name: our name, such as `tensor_parallel`.
        setting: where users set it, such as `tensorParallel`; empty where the platform alone does.
        note: what differs from other engines.
    """

    name: str
    flag: str
    form: Form
    setting: str
    confirmed: bool
    note: str


@dataclass(frozen=True, slots=True)
class Metric:
    """One reading of an engine.

    Attributes:
        meaning: queue, running, kv_usage, ttft, tpot, itl, e2e, success, error or rejected.
        name: name of the series; of a histogram without `_bucket`.
        type: gauge, counter or histogram.
        unit: requests, share (0 to 1), s or ms.
        selector: labels that pick the reading out of its series, as PromQL writes them; empty where there are none.
    """

    meaning: str
    name: str
    type: str
    unit: str
    selector: str
    confirmed: bool
    source: str


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """Something of an engine that was not confirmed: what, and why not."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag of one version of an engine.

    Attributes:
        name: its first long spelling.
        aliases: its other spellings, short ones and those that negate it among them.
        choices: the values it takes; empty where the parser does not say.
    """

    name: str
    aliases: tuple[str, ...]
    kind: Kind
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """A flag that a version of an engine no longer has.

    Attributes:
        since: first version without it.
        successor: what to write instead; empty where nothing replaces it.
    """

    name: str
    since: str
    successor: str


@dataclass(frozen=True, slots=True)
class Reserved:
    """A flag that is the platform's own: given beside it, probes, ports, metrics or the number of GPUs would not hold.

    Attributes:
        reason: what would break.
        mend: what to do instead.
    """

    name: str
    reason: str
    mend: str


@dataclass(frozen=True, slots=True)
class Engine:
    """Facts of one engine at one version.

    Attributes:
        name: key in the settings, and the value of `llm-d.ai/engine-type`.
        api: openai or triton: which paths clients call.
        command: command of the container; empty where the image's entry point does.
        model_first: whether the model is the first argument rather than the value of a flag.
        port: port of the HTTP API.
        start_path, ready_path, live_path: for the three probes.
        user, group, home: the image's unprivileged user; caches go to `.cache` in its home.
        ready_timeout_variable: environment variable that bounds how long the engine waits for itself; empty if none.
        variables: environment variables that the image needs as that user.
        drain: what becomes of running requests after SIGTERM.
        options: by our name.
        metrics: by meaning.
        unconfirmed: facts that were not confirmed, by name.
        sources: where the facts were read.
    """

    name: str
    version: str
    image: str
    api: str
    command: tuple[str, ...]
    model_first: bool
    port: int
    start_path: str
    ready_path: str
    live_path: str
    metrics_port: int
    metrics_path: str
    user: int
    group: int
    home: str
    ready_timeout_variable: str
    variables: Mapping[str, str]
    drain: Draining
    options: Mapping[str, Option] = field(default_factory=dict)
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    unconfirmed: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Value of the label `llm-d.ai/engine-type`, by which an endpoint picker chooses what metrics to read."""
        return self.name

    def has(self, option: str) -> bool:
        """Whether the engine has the option."""
        return option in self.options

    def flag(self, option: str) -> str:
        """The flag of an option.

        Raises:
            KeyError: when the engine has none.
        """
        return self.options[option].flag

    def doubts(self, used: frozenset[str], given: frozenset[str] = frozenset()) -> Iterator[Unconfirmed]:
        """What was not confirmed of that which a server of this engine rests on.

        Args:
            used: our names of the options it is given.
            given: facts that the settings state themselves, such as `image` and `user`.
        """
        for fact, why in self.unconfirmed.items():
            if fact not in given:
                yield Unconfirmed(fact.replace("_", " "), why)
        flags = [option.flag for name, option in self.options.items() if name in used and not option.confirmed]
        if flags:
            yield Unconfirmed(", ".join(flags), f"read of another state of the source than {self.version}")
