"""Reading YAML so that nothing is lost: duplicate keys are errors, and every value knows its line.

The fast C parser reads the values; lines are looked up only when there is a problem to report.
"""

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import yaml

from infra.errors import InputError, Problem

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # a PyYAML built without libyaml
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

MAX_BYTES = 4 * 2**20  # far beyond any settings file; keeps a wrong path from filling memory


class _Loader(_SafeLoader):
    """Refuses a key that stands twice in one mapping; YAML would keep the last and lose the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = str(getattr(key_node, "value", ""))
            if key in seen and key != "<<":
                raise yaml.constructor.ConstructorError(
                    None, None, f'the key "{key}" stands twice in one mapping', key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, shown_as: str) -> Any:  # whatever the file holds
    """The content of a YAML file.

    Args:
        path: the file.
        shown_as: how messages name it.

    Raises:
        InputError: when it is missing, unreadable, not text or not YAML.
    """
    text = _read_text(path, shown_as)
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or (str(error).splitlines() or ["too deeply nested"])[0]
        raise InputError(
            [
                Problem(
                    "",
                    str(reason),
                    "YAML, as in Pulumi.dev.yaml",
                    "mend it at this line; quote values that hold ': ', '#' or begin with a special character",
                    shown_as,
                    mark.line + 1 if mark else 0,
                )
            ]
        ) from None


def _read_text(path: Path, shown_as: str) -> str:
    def refuse(found: str, mend: str) -> InputError:
        return InputError([Problem("", found, "a readable settings file in YAML", mend, shown_as)])

    try:
        if path.is_dir():
            raise refuse("a folder", "name a file")
        if path.stat().st_size > MAX_BYTES:
            raise refuse(f"{path.stat().st_size} bytes", f"name a settings file; the limit is {MAX_BYTES} bytes")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        beside = sorted(file.name for file in path.parent.glob("Pulumi.*.yaml")) if path.parent.is_dir() else []
        mend = f"there are: {', '.join(beside)}" if beside else "check the path"
        raise refuse("no such file", mend) from None
    except UnicodeDecodeError as error:
        raise refuse(f"bytes that are not UTF-8 at position {error.start}", "save it as UTF-8") from None
    except (OSError, ValueError) as error:
        raise refuse(getattr(error, "strerror", None) or str(error), "make the file readable") from None


def line_of(path: Path, keys: Sequence[str | int]) -> int:
    """1-based line of the value at `keys`, or of the deepest part of that path that is there; 0 when unknown."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_SafeLoader)
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        return 0
    line = 0
    for key in keys:
        step = _child(node, key)
        if step is None:
            return line
        line, node = step
    return line


def _child(node: Any, key: str | int) -> tuple[int, Any] | None:  # PyYAML's nodes are untyped
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key].start_mark.line + 1, node.value[key]
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            if getattr(key_node, "value", None) == str(key):
                return key_node.start_mark.line + 1, value_node
    return None
