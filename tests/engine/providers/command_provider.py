"""The stand-in for the command provider: it runs what it is given, as the real one does."""

import os
import subprocess

from tests.engine.providers.changes import Change, ProviderError, Replacement
from tests.engine.providers.serving import StandIn, serve
from tests.engine.providers.values import UNKNOWN, Properties


class CommandProvider(StandIn):
    """`command:local:Command`. Without a command for an operation nothing is run."""

    def replacement(self, change: Change, properties: list[str]) -> Replacement:
        del change
        return Replacement(tuple(key for key in properties if key == "triggers"))

    def create(self, change: Change) -> tuple[str, Properties]:
        if change.preview:
            return "", {**change.inputs, "stdout": UNKNOWN, "stderr": UNKNOWN}
        return change.name, {**change.inputs, **self._run(change, change.inputs.get("create"))}

    def update(self, change: Change) -> Properties:
        if change.preview:
            return {**change.inputs, "stdout": UNKNOWN, "stderr": UNKNOWN}
        command = change.inputs.get("update") or change.inputs.get("create")
        return {**change.inputs, **self._run(change, command)}

    def delete(self, change: Change) -> None:
        self._run(change, change.inputs.get("delete"))

    def _run(self, change: Change, command: str | None) -> Properties:
        before = {key: change.state.get(key, "") for key in ("stdout", "stderr")}
        if not command:
            return before
        given = {key: str(value) for key, value in (change.inputs.get("environment") or {}).items()}
        said = {f"PULUMI_COMMAND_{key.upper()}": str(value) for key, value in before.items()}
        shell = change.inputs.get("interpreter") or ["/bin/sh", "-c"]
        result = subprocess.run(
            [*shell, command],
            cwd=change.inputs.get("dir"),
            env={**os.environ, **said, **given},
            capture_output=True,
            text=True,
            check=False,
            timeout=change.seconds,
        )
        self.outside.write(event="ran", urn=change.urn, command=command, code=result.returncode, said=result.stdout)
        if result.returncode != 0:
            raise ProviderError(
                f"exit status {result.returncode}: running {command!r}:\n{result.stderr}{result.stdout}"
            )
        return {"stdout": result.stdout.rstrip("\n"), "stderr": result.stderr.rstrip("\n")}


if __name__ == "__main__":
    serve(CommandProvider())
