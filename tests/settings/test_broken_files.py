"""Every broken file beside the exact message it must give.

`broken/<area>.<reason>.yaml` is validated from the root of the repository; `<area>.<reason>.expected.txt` holds what
stands on standard error then. `pytest --update-golden` rewrites the messages: read each as a stranger before
committing.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.conftest import ROOT, Golden

FOLDER = ROOT / "tests" / "settings" / "broken"
CASES = sorted(path.name.removesuffix(".expected.txt") for path in FOLDER.glob("*.expected.txt"))
WITHOUT_A_FILE = {"file.missing"}
IN_A_REAL_PROCESS = ("file.missing", "file.not-utf-8", "models.tensor-parallel-too-large", "several.at-once")

PLACE = re.compile(r"(?P<file>\S+\.yaml)(:(?P<line>\d+))?( (?P<path>\S.*))?")


def argument(case: str) -> str:
    return f"tests/settings/broken/{case}.yaml"


def source_lines(case: str) -> list[str]:
    return (FOLDER / f"{case}.yaml").read_text(encoding="utf-8").splitlines()


def blocks(case: str) -> Iterator[list[str]]:
    """The lines of each problem of the expected message: place, found, accepted, mend."""
    lines = (FOLDER / f"{case}.expected.txt").read_text(encoding="utf-8").splitlines()[:-1]
    for start in range(0, len(lines), 4):
        yield lines[start : start + 4]


@pytest.mark.parametrize("case", CASES)
def test_the_message_is_exactly_as_expected(case: str, golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)

    result = CliRunner().invoke(app, ["validate", "--file", argument(case)])

    assert result.exit_code == 2
    assert result.stdout == ""
    golden(FOLDER / f"{case}.expected.txt", result.stderr)


@pytest.mark.parametrize("case", IN_A_REAL_PROCESS)
def test_the_real_command_says_the_same(case: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", "from cli.main import main; main()", "validate", "--file", argument(case)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (FOLDER / f"{case}.expected.txt").read_text(encoding="utf-8")


def test_every_broken_file_has_a_message_and_every_message_a_file() -> None:
    assert len(CASES) > 50
    files = {path.name.removesuffix(".yaml") for path in FOLDER.glob("*.yaml")}
    assert files | WITHOUT_A_FILE == set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_every_problem_says_where_what_and_how_to_mend(case: str) -> None:
    expected = (FOLDER / f"{case}.expected.txt").read_text(encoding="utf-8").splitlines()
    found = list(blocks(case))

    assert found
    assert expected[-1] == f"{len(found)} problem{'' if len(found) == 1 else 's'} in the settings"
    for place, what, accepted, mend in found:
        match = PLACE.fullmatch(place)
        assert match, place
        assert match["file"] == argument(case)
        for line, label in ((what, "found"), (accepted, "accepted"), (mend, "mend")):
            assert re.fullmatch(rf"  {label} +\S.*", line)
        # Whoever is told only that a value is missing has to look up what it may be.
        assert "it is required" not in accepted
        assert "see the schema" not in mend


@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith("file.")])
def test_the_line_holds_the_deepest_key_that_is_there(case: str) -> None:
    """What is missing or has its default stands nowhere: then the thing it belongs to begins in that line."""
    lines = source_lines(case)
    for place, *_ in blocks(case):
        match = PLACE.fullmatch(place)
        assert match is not None
        assert match["line"], place
        path = re.sub(r"\[\d+\]", "", match["path"].removeprefix("config."))
        keys = [
            re.compile(rf'(^|[\s{{"-]){re.escape(key)}"?:( |$)') for key in ["gpu-platform:platform", *path.split(".")]
        ]
        deepest = next(key for key in reversed(keys) if any(key.search(line) for line in lines))
        line = lines[int(match["line"]) - 1]
        assert deepest.search(line) or line.lstrip().startswith("- "), (place, line)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_lines() -> None:
    matches = [PLACE.fullmatch(place) for place, *_ in blocks("several.at-once")]
    lines = [int(match["line"]) for match in matches if match]
    paths = [match["path"] for match in matches if match]

    assert lines == sorted(lines)
    assert len(paths) == len(set(paths)) >= 8
    assert {path.partition(".")[0].partition("[")[0] for path in paths} == {
        "tags",
        "aws",
        "network",
        "cluster",
        "nodePools",
        "models",
    }


def test_a_reference_to_no_pool_is_told_although_the_model_has_other_mistakes() -> None:
    """Else the second mistake shows only when the first is mended."""
    paths = [place.partition(" ")[2] for place, *_ in blocks("several.at-once")]

    assert "models[0].nodePools[1]" in paths
    assert "models[1].nodePools[0]" in paths


def test_a_secret_in_clear_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    secret = "hf_this-value-must-not-appear"
    assert any(secret in line for line in source_lines("secrets.in-clear"))

    for extra in ([], ["--json"]):
        result = CliRunner().invoke(app, ["validate", "--file", argument("secrets.in-clear"), *extra])
        assert result.exit_code == 2
        assert secret not in result.output


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("gpu-platform:huggingfaceToken", "gpu-platform:huggingfaceToken: hf_in-clear"),
        (
            "huggingFaceToken",
            "gpu-platform:platform: {target: local, cluster: {name: a}, huggingFaceToken: hf_in-clear}",
        ),
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated_either(key: str, line: str, tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.leak.yaml"
    path.write_text(f"config:\n  {line}\n", encoding="utf-8")

    result = CliRunner().invoke(app, ["validate", "--file", str(path)])

    assert result.exit_code == 2
    assert key in result.stderr
    assert "hf_in-clear" not in result.output
