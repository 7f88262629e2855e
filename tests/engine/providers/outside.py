"""The world of one test as its providers see it: a folder with a journal, faults to come, and what exists in AWS."""

import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VARIABLE = "ENGINE_TESTS_WORLD"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that exists in AWS.

    Attributes:
        type_token: Pulumi type.
        key: its id, unique for the type.
        inputs: what it was asked to be.
        outputs: what it is, inputs among it.
    """

    type_token: str
    key: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]


class Outside:
    """The files of a world. Several provider processes use them at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = folder / "journal.jsonl"
        self.kubeconfig = folder / "kubeconfig"
        self.hold = folder / "hold"  # while this file is there, no read is answered
        self._faults = folder / "faults.json"
        self._store = folder / "aws.sqlite"

    @classmethod
    def of_this_process(cls) -> "Outside":
        """The world that the test named in the environment."""
        return cls(Path(os.environ[VARIABLE]))

    def write(self, **entry: object) -> None:
        """Add a line to the journal, whole or not at all."""
        line = json.dumps({"time": time.time(), **entry}) + "\n"
        with self.journal.open("a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(line)

    def entries(self) -> list[dict[str, Any]]:
        """The journal so far."""
        if not self.journal.exists():
            return []
        return [json.loads(line) for line in self.journal.read_text(encoding="utf-8").splitlines()]

    def fail_once(self, operation: str, urn_part: str, message: str) -> None:
        """Have the next `operation` (create, update, delete) on a URN that holds `urn_part` fail with `message`."""
        with self._changing_faults() as faults:
            faults.append([operation, urn_part, message])

    def take_fault(self, operation: str, urn: str) -> str | None:
        """The message an operation is to fail with; the fault is used up."""
        if not self._faults.exists():
            return None
        with self._changing_faults() as faults:
            for fault in faults:
                if fault[0] == operation and fault[1] in urn:
                    faults.remove(fault)
                    return str(fault[2])
        return None

    @contextmanager
    def _changing_faults(self) -> Iterator[list[list[str]]]:
        with self._faults.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            faults = json.loads(file.read() or "[]")
            yield faults
            file.seek(0)
            file.truncate()
            file.write(json.dumps(faults))

    def rows(self) -> list[Row]:
        """Everything that exists in AWS."""
        with self._database() as database:
            found = database.execute("SELECT type, key, inputs, outputs FROM row ORDER BY rowid").fetchall()
        return [Row(kind, key, json.loads(inputs), json.loads(outputs)) for kind, key, inputs, outputs in found]

    def row(self, type_token: str, key: str) -> Row | None:
        """One thing in AWS, None when it is not there."""
        return next((row for row in self.rows() if (row.type_token, row.key) == (type_token, key)), None)

    def put(self, row: Row) -> None:
        """Create or change something in AWS."""
        with self._database() as database:
            values = (row.type_token, row.key, json.dumps(row.inputs), json.dumps(row.outputs))
            database.execute("INSERT OR REPLACE INTO row VALUES (?, ?, ?, ?)", values)

    def remove(self, type_token: str, key: str) -> None:
        """Delete something in AWS, when it is there."""
        with self._database() as database:
            database.execute("DELETE FROM row WHERE type = ? AND key = ?", (type_token, key))

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._store, timeout=30)
        try:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS row"
                " (type TEXT, key TEXT, inputs TEXT, outputs TEXT, PRIMARY KEY (type, key))"
            )
            with connection:
                yield connection
        finally:
            connection.close()
