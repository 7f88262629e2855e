"""A reader of the few things of TypeScript that the example is made of: constructor calls and object literals."""

import re
from collections.abc import Iterator
from typing import Any

from tests.examples.package_schema import Expression

_TOKEN = re.compile(
    r"""\s+ | //[^\n]* | /\*.*?\*/
    | (?P<text>"(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*')
    | (?P<template>`(?:[^`\\]|\\.)*`)
    | (?P<number>\d[\d_]*(?:\.\d+)?)
    | (?P<word>[A-Za-z_$][\w$]*)
    | (?P<mark>=>|[^\s\w])""",
    re.VERBOSE | re.DOTALL,
)
_OPEN, _CLOSE = "([{", ")]}"

Token = tuple[str, str]


class UnreadableError(Exception):
    """The text uses more of the language than this reader knows."""


def tokens(text: str) -> list[Token]:
    """The tokens of `text` with their kinds, without comments and spaces."""
    found, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise UnreadableError(text[position : position + 40])
        if match.lastgroup:
            found.append((match.lastgroup, match.group()))
        position = match.end()
    return found


def constructor_calls(text: str, module: str) -> Iterator[tuple[str, list[Any]]]:
    """Each `new <module>.X(...)`: the class and its arguments; what is not a literal is an Expression."""
    stream = tokens(text)
    for index in range(len(stream) - 4):
        new, name, dot, kind, bracket = (token for _, token in stream[index : index + 5])
        if (new, name, dot, bracket) == ("new", module, ".", "("):
            yield kind, _Reader(stream, index + 5).items(")")


class _Reader:
    def __init__(self, stream: list[Token], position: int) -> None:
        self._stream, self._position = stream, position

    def items(self, end: str) -> list[Any]:
        """Values up to the bracket `end`."""
        found = []
        while not self._skip(end):
            found.append(self._value(end))
            self._comma_before(end)
        return found

    def _properties(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not self._skip("}"):
            kind, token = self._next()
            if kind not in ("word", "text"):
                raise UnreadableError(f"{token} where a property begins")
            name = token if kind == "word" else token[1:-1]
            if name in found:
                raise UnreadableError(f"{name} is given twice")
            found[name] = self._value("}") if self._skip(":") else Expression(name)
            self._comma_before("}")
        return found

    def _value(self, end: str) -> Any:
        start = self._position
        kind, token = self._next()
        value: Any = Expression(token)
        if token == "{":
            value = self._properties()
        elif token == "[":
            value = self.items("]")
        elif kind == "text":
            value = token[1:-1]
        elif kind == "number":
            value = float(token) if "." in token else int(token.replace("_", ""))
        elif token in ("true", "false"):
            value = token == "true"
        if self._peek() in (",", end):
            return value
        self._position = start
        return self._expression(end)

    def _expression(self, end: str) -> Expression:
        depth, text = 0, []
        while depth or self._peek() not in (",", end):
            token = self._next()[1]
            depth += (token in _OPEN) - (token in _CLOSE)
            text.append(token)
        return Expression("".join(text))

    def _comma_before(self, end: str) -> None:
        if not self._skip(",") and self._peek() != end:
            raise UnreadableError(f"{self._peek()} where a comma or {end} is expected")

    def _peek(self) -> str:
        if self._position >= len(self._stream):
            raise UnreadableError("the text ends inside a bracket")
        return self._stream[self._position][1]

    def _next(self) -> Token:
        self._peek()
        self._position += 1
        return self._stream[self._position - 1]

    def _skip(self, token: str) -> bool:
        found = self._peek() == token
        self._position += found
        return found
