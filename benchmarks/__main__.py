"""`python -m benchmarks`: every benchmark in one run, as one table.

Nothing here fails because a figure is over its target; the table says so. A name restricts the run:
`python -m benchmarks preview`, `python -m benchmarks environment` or `python -m benchmarks critical-path`.
"""

import os
import platform
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from benchmarks import critical_path, environment, preview
from benchmarks.measuring import Row, table

BENCHMARKS: dict[str, Callable[[], list[Row]]] = {
    "preview": preview.rows,
    "environment": environment.rows,
    "critical-path": critical_path.rows,
}


def main(names: Sequence[str]) -> int:
    """Run the named benchmarks, all when none is named; returns the exit code."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for name in names or BENCHMARKS:
        print(f"{name} ...", file=sys.stderr)
        rows += BENCHMARKS[name]()
    print(_machine())
    print()
    print("\n".join(table(rows)))
    print()
    print("MEASURED is from the best round of each side, MEDIAN from the middle one.")
    return 0


def _machine() -> str:
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    shape = f"{os.cpu_count()} cores, {memory_gib:.0f} GiB, {platform.machine()}, Python {platform.python_version()}"
    return f"{datetime.now(UTC):%Y-%m-%d}, {shape}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
