"""Reading the engine table: one engine from its rows."""

from dataclasses import replace
from functools import cache
from typing import Any, cast

from infra.catalog.engines.records import Draining, Engine, Form, Metric, Option
from infra.catalog.tables import read_table, texts
from infra.versions import (
    SGLANG,
    SGLANG_IMAGE,
    TGI,
    TGI_IMAGE,
    TRITON,
    TRITON_IMAGE,
    TRTLLM,
    TRTLLM_IMAGE,
    VLLM_IMAGE,
)
from infra.versions import VLLM as VLLM_VERSION

# Version whose facts the table holds, and its image.
PINNED = {
    "vllm": (VLLM_VERSION, VLLM_IMAGE),
    "sglang": (SGLANG, SGLANG_IMAGE),
    "tgi": (TGI, TGI_IMAGE),
    "triton-tensorrt-llm": (TRITON, TRITON_IMAGE),
    "trtllm-serve": (TRTLLM, TRTLLM_IMAGE),
}

# An image of the user's own, before the user said anything of it: nothing but what a container must have.
CUSTOM = Engine(
    name="custom",
    version="",
    image="",
    api="openai",
    command=(),
    model_first=False,
    port=8000,
    start_path="/health",
    ready_path="/health",
    live_path="/health",
    metrics_port=8000,
    metrics_path="",
    user=1000,
    group=0,
    home="/tmp",  # noqa: S108  # a folder in the container that any user may write
    ready_timeout_variable="",
    variables={},
    drain="unknown",
)


@cache
def engines() -> dict[str, Engine]:
    """Every engine of the table, by name; `custom` is not one of them."""
    return {name: _engine(name) for name in PINNED}


def engine(name: str) -> Engine:
    """Facts of one engine.

    Raises:
        KeyError: when the table has no such engine.
    """
    return CUSTOM if name == CUSTOM.name else engines()[name]


def custom_engine(drain_flag: str, **facts: Any) -> Engine:  # the fields of Engine, checked by its own constructor
    """An engine of the user's own, by what the user says of it.

    Args:
        drain_flag: flag that takes the seconds running requests have after SIGTERM; empty where there is none.
        facts: fields of `Engine`.
    """
    options = {"drain": Option("drain", drain_flag, "value", "drain.shutdownTimeoutSeconds", True, "")}
    drain: Draining = "flag" if drain_flag else "waits"
    return replace(CUSTOM, **facts, drain=drain, options=options if drain_flag else {})


def _engine(name: str) -> Engine:
    rows = {row["fact"]: row for row in read_table("engine_facts") if row["engine"] == name}
    fact = {key: row["value"] for key, row in rows.items()}
    user, group = fact["user"].split(":")
    version, image = PINNED[name]
    return Engine(
        name=name,
        version=version,
        image=image,
        api=fact["api"],
        command=tuple(fact["command"].split()),
        model_first=fact["model_argument"] == "first",
        port=int(fact["port"]),
        start_path=fact["start_path"],
        ready_path=fact["ready_path"],
        live_path=fact["live_path"],
        metrics_port=int(fact["metrics_port"]),
        metrics_path=fact["metrics_path"],
        user=int(user),
        group=int(group),
        home=fact["home"],
        ready_timeout_variable=fact["ready_timeout_variable"],
        variables=dict(text.split("=", 1) for text in texts(fact["variables"])),
        drain=cast(Draining, fact["drain"]),
        options={row["option"]: _option(row) for row in read_table("engine_options") if row["engine"] == name},
        metrics={row["meaning"]: _metric(row) for row in read_table("engine_metrics") if row["engine"] == name},
        unconfirmed={key: row["note"] for key, row in rows.items() if row["confirmed"] != "yes"},
        sources=tuple(sorted({row["source"] for row in rows.values() if row["source"]})),
    )


def _option(row: dict[str, str]) -> Option:
    return Option(
        name=row["option"],
        flag=row["flag"],
        form=cast(Form, row["form"]),
        setting=row["setting"],
        confirmed=row["confirmed"] == "yes",
        note=row["note"],
    )


def _metric(row: dict[str, str]) -> Metric:
    return Metric(
        meaning=row["meaning"],
        name=row["name"],
        type=row["type"],
        unit=row["unit"],
        selector=row["selector"],
        confirmed=row["confirmed"] == "yes",
        source=row["source"],
    )


VLLM = engines()["vllm"]
