"""Reading YAML so that nothing is lost: duplicate keys are errors, and every value knows its line.

The fast C parser reads the values; lines are looked up only when there is a problem to report.
"""

from collections.abc import Sequence
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
    """Says where a value stands that YAML recognizes but Python cannot hold, such as the 31st of February."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # whatever the file holds
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from None


class _DuplicateKeyError(yaml.MarkedYAMLError):
    """A key that stands twice; YAML would keep the last and lose the first."""


def _refuse_duplicates(root: yaml.Node | None) -> None:
    """Look at the mappings as they stand in the file, before merges are carried out."""
    ahead, seen = [root] if root else [], set[int]()
    while ahead:
        node = ahead.pop()
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            ahead.extend(node.value)
            continue
        keys = set[str]()
        for key_node, value_node in node.value:
            key = str(getattr(key_node, "value", ""))
            if key in keys and key != "<<":
                raise _DuplicateKeyError(
                    None, None, f'the key "{key}" stands twice in one mapping', key_node.start_mark
                )
            keys.add(key)
            ahead.append(value_node)


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
        loader = _Loader(text)
        root = loader.get_single_node()
        _refuse_duplicates(root)
        return loader.construct_document(root) if root else None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or (str(error).splitlines() or ["too deeply nested"])[0]
        raise InputError(
            [
                Problem(
                    "",
                    str(reason),
                    "YAML, as in Pulumi.dev.yaml",
                    "remove one of the two"
                    if isinstance(error, _DuplicateKeyError)
                    else "mend it at this line; quote values that hold ': ', '#' or begin with a special character",
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
        if path.exists() and not path.is_file():
            raise refuse("not a file but a device or a pipe", "name a file")
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


class Lines:
    """The lines of a file's values; the file is read once, when the first is asked for."""

    def __init__(self, path: Path) -> None:
        self._root = None
        try:
            if path.is_file():
                self._root = yaml.compose(path.read_text(encoding="utf-8"), Loader=_SafeLoader)
        except (OSError, yaml.YAMLError, ValueError, RecursionError):
            return  # what is wrong with the file has been said; its problems go without lines

    def of(self, keys: Sequence[str | int]) -> int:
        """1-based line of the value at `keys`, or of the deepest part of that path that is there; 0 when unknown."""
        line, node = 0, self._root
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
            if getattr(key_node, "value", None) == str(key) or (key == "None" and key_node.value in ("", "~", "null")):
                return key_node.start_mark.line + 1, value_node
    return None
