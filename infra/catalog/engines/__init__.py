"""What is known of serving engines: one table with a row a fact, and every flag that a version has.

No component spells a port, a path, a flag or a metric by hand. A fact that was not confirmed says so, and is used only
where the settings insist (`engineOptions.unconfirmed: accept`).
"""

from infra.catalog.engines.arguments import ArgumentProblem, argument_problems
from infra.catalog.engines.flags import FlagTable, flag_table
from infra.catalog.engines.quantization import gpu_capability, least_capability, online_methods
from infra.catalog.engines.records import ENGINE_NAMES, Engine, Flag, Metric, Option, Removed, Unconfirmed
from infra.catalog.engines.table import CUSTOM, VLLM, custom_engine, engine, engines

__all__ = [
    "CUSTOM",
    "ENGINE_NAMES",
    "VLLM",
    "ArgumentProblem",
    "Engine",
    "Flag",
    "FlagTable",
    "Metric",
    "Option",
    "Removed",
    "Unconfirmed",
    "argument_problems",
    "custom_engine",
    "engine",
    "engines",
    "flag_table",
    "gpu_capability",
    "least_capability",
    "online_methods",
]
