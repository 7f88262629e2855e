"""The command and its sub-commands."""

import gc
import io
import sys

import typer

from cli import diff, down, preview, simulate, status, teardown, up, validate

app = typer.Typer(
    name="gpu-platform",
    help="GPU clusters on AWS EKS that serve and train large language models: check, preview and try them here.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("validate")(validate.validate)
app.command("preview")(preview.preview)
app.command("diff")(diff.diff)
app.command("up")(up.up)
app.command("status")(status.status)
app.command("down")(down.down)
app.command("simulate")(simulate.simulate)
app.add_typer(teardown.app, name="teardown")


def main() -> None:
    """Entry point of the command."""
    gc.disable()  # commands are short; looking for cycles among the SDK's classes is a good part of a preview
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a line of the tree shows a question mark instead.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app()
