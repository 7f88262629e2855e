"""Every flag that a version of an engine has, and those that it has no more."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import cast

from infra.catalog.engines.records import Flag, Kind, Removed, Reserved
from infra.catalog.tables import read_table, texts

# vLLM's parser takes underscores for dashes (utils/argparse_utils.py); the others take a flag as it is.
_UNDERSCORES_TOO = frozenset({"vllm"})
# JSON flags of vLLM may be written in parts: --compilation-config.mode=3 (utils/argparse_utils.py).
_DOTS_TOO = frozenset({"vllm"})
_ENOUGH_ALIKE = 0.6  # difflib's own default similarity


@dataclass(frozen=True, slots=True)
class FlagTable:
    """The flags of one engine at one version.

    Attributes:
        flags: by every spelling.
        removed: by name, flags of earlier versions.
        reserved: by name, flags that are not for users.
    """

    engine: str
    version: str
    flags: Mapping[str, Flag]
    removed: Mapping[str, Removed]
    reserved: Mapping[str, Reserved]

    def spelled(self, text: str) -> str:
        """A flag as the table writes it, without the part after a dot where the engine takes one."""
        if self.engine in _UNDERSCORES_TOO and text.startswith("--"):
            text = "--" + text[2:].partition(".")[0].replace("_", "-") + "".join(text[2:].partition(".")[1:])
        name, dot, _ = text.partition(".")
        inside = dot and self.engine in _DOTS_TOO and name in self.flags and self.flags[name].kind == "json"
        return name if inside else text

    def find(self, text: str) -> Flag | None:
        """The flag that `text` spells, None where the version has none."""
        return self.flags.get(self.spelled(text))

    def nearest(self, text: str) -> str:
        """The known spelling closest to `text`, empty where none is close."""
        close = difflib.get_close_matches(self.spelled(text), list(self.flags), n=1, cutoff=_ENOUGH_ALIKE)
        return close[0] if close else ""


@cache
def flag_table(engine: str) -> FlagTable:
    """The flags of the version that the engine table is of.

    Raises:
        KeyError: when there are none of this engine.
    """
    rows = [row for row in read_table("engine_flags") if row["engine"] == engine]
    if not rows:
        raise KeyError(engine)
    found = [
        Flag(row["flag"], tuple(row["aliases"].split()), cast(Kind, row["kind"]), texts(row["choices"])) for row in rows
    ]
    gone = [
        Removed(row["flag"], row["since"], row["successor"])
        for row in read_table("engine_removed_flags")
        if row["engine"] == engine
    ]
    return FlagTable(
        engine,
        rows[0]["version"],
        {spelling: flag for flag in found for spelling in (flag.name, *flag.aliases)},
        {item.name: item for item in gone},
        {
            row["flag"]: Reserved(row["flag"], row["reason"], row["mend"])
            for row in read_table("engine_reserved_flags")
            if row["engine"] == engine
        },
    )
