"""How a sub-command ends: 0 done, 1 failed, 2 bad input; errors on standard error, never a traceback for them."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from infra.errors import InputError, PlatformError


@contextmanager
def reported(as_json: bool) -> Iterator[None]:
    """Turn the errors a user may see into text, or JSON, and an exit code.

    Args:
        as_json: print the error as a JSON object on standard output, as the command would its result.
    """
    try:
        yield
    except PlatformError as error:
        if as_json:
            print(json.dumps(_as_json(error), indent=2))
        else:
            print(f"error: {error}" if not isinstance(error, InputError) else str(error), file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        print("interrupted; the same command again goes on from here, `gpu-platform down` cleans up", file=sys.stderr)
        raise SystemExit(1) from None
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None


def print_json(data: object) -> None:
    """Print data for machines."""
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def _as_json(error: PlatformError) -> dict[str, object]:
    if isinstance(error, InputError):
        return {"problems": [problem.as_json() for problem in error.problems]}
    return {"error": error.message, "mend": error.mend}
