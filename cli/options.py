"""Options that sub-commands share, and what follows from them."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.errors import InputError, Problem

if TYPE_CHECKING:
    from infra.settings import StackFile

ROOT = Path(__file__).resolve().parent.parent

Env = Annotated[str, typer.Option("--env", "-e", metavar="NAME", help="Environment: reads Pulumi.NAME.yaml.")]
File = Annotated[
    Path | None, typer.Option("--file", "-f", metavar="PATH", help="Any stack file instead of an environment's.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines and nothing else on standard output.")]

DEFAULT_ENV = "local"


def load_stack(env: str, file: Path | None, on: date | None = None) -> "StackFile":
    """The stack that `--env` or `--file` names, with support windows judged on the day `on` where it is given.

    Raises:
        InputError: with every problem of the file.
    """
    from infra.settings import load_stack_file

    if file is not None:
        return load_stack_file(file, on=on)
    known = environments()
    if env not in known:
        from infra.settings.reporting import shown
        from infra.settings.values import did_you_mean

        found = shown(env)
        accepted = f"an environment with a file Pulumi.<name>.yaml: {', '.join(known)}"
        mend = did_you_mean(env, known, "choose one of these, or name a file with --file")
        raise InputError([Problem("--env", found, accepted, mend)], "the command line")
    name = f"Pulumi.{env}.yaml"
    return load_stack_file(ROOT / name, name, on)


def environments() -> list[str]:
    """The committed environments, and the stacks of those that are split; sorted."""
    return sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in ROOT.glob("Pulumi.*.yaml"))


def environment_name(env: str, file: Path | None) -> str:
    """The name under which the embedded environment of that stack is kept."""
    return env if file is None else file.name.removeprefix("Pulumi.").removesuffix(".yaml")
