"""The command: exit codes, JSON for machines, errors where they belong, and never a traceback."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from cli.options import environments
from tests.conftest import ENVIRONMENTS, ROOT

BROKEN = ROOT / "tests" / "settings" / "broken"


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def process(*words: str, cwd: Path = ROOT, **variables: str) -> "subprocess.CompletedProcess[bytes]":
    """The command as a process of its own, without credentials, kubeconfig, Pulumi or a home."""
    bare = {"PATH": "", "HOME": "", "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        [sys.executable, "-c", "from cli.main import main; main()", *words],
        cwd=cwd,
        env={key: value for key, value in bare.items() if value},
        capture_output=True,
        check=False,
        timeout=60,
    )


# --- validate ---------------------------------------------------------------------------------------------------------


def test_validate_says_that_an_environment_is_valid(env: str) -> None:
    result = run("validate", "--env", env)

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{env} is valid: ")
    assert result.stdout.count("\n") == 1


def test_validate_as_json(env: str) -> None:
    result = run("validate", "--env", env, "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"stack": env, "problems": []}


def test_problems_as_json() -> None:
    result = run("validate", "--json", "--file", str(BROKEN / "several.at-once.yaml"))

    assert (result.exit_code, result.stderr) == (2, "")
    problems = json.loads(result.stdout)["problems"]
    assert len(problems) >= 8
    for problem in problems:
        assert set(problem) == {"file", "line", "path", "found", "accepted", "mend"}
        assert problem["file"].endswith("several.at-once.yaml")
        assert problem["line"] > 0


def test_the_local_environment_is_the_default() -> None:
    assert run("validate").stdout == run("validate", "--env", "local").stdout
    assert run("preview").stdout == run("preview", "--env", "local").stdout


# --- preview ----------------------------------------------------------------------------------------------------------


def test_preview_prints_the_tree_the_count_and_what_a_destroy_leaves(env: str) -> None:
    result = run("preview", "--env", env)

    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == f"gpu-platform, stack {env}"
    parts = "\n".join(lines).split("\n\n")
    tenants = [parts.pop(-2)] if env in ("staging", "prod") else []
    outputs, count, startup, rollouts, survivors = parts[-5:]
    assert all(part.startswith("Tenants\n") for part in tenants)
    assert outputs.startswith("Outputs\n  ")
    assert count.partition(" ")[0].isdigit()
    assert startup.startswith("From a pending pod to weights in GPU memory")
    assert rollouts.startswith("A new version of a model\n  ")
    assert survivors.startswith("After a destroy nothing is left." if env == "local" else "A destroy is not the end")
    assert all(line.isprintable() for line in lines)


def test_preview_as_json_lists_its_objects_under_resources(env: str) -> None:
    result = run("preview", "--env", env, "--json")

    assert (result.exit_code, result.stderr) == (0, "")
    plan = json.loads(result.stdout)
    assert (plan["stack"], plan["mode"], plan["formatVersion"]) == (env, "unknown", 1)
    assert len(plan["resources"]) > 5
    assert {"urn", "type", "name", "inputs"} <= set(plan["resources"][0])


@pytest.mark.parametrize("env", ["local", "prod"])
def test_preview_needs_nothing_and_prints_the_same_bytes_twice(env: str, tmp_path: Path) -> None:
    first = process("preview", "--env", env, cwd=tmp_path)
    second = process("preview", "--env", env, PYTHONHASHSEED="7", HOME=str(tmp_path), TZ="Asia/Kathmandu")

    assert (first.returncode, first.stderr) == (0, b"")
    assert first.stdout == second.stdout
    assert len(first.stdout) > 500


def test_preview_of_a_file_by_a_relative_path(tmp_path: Path) -> None:
    text = (ROOT / "Pulumi.local.yaml").read_text(encoding="utf-8")
    (tmp_path / "Pulumi.mine.yaml").write_text(text, encoding="utf-8")

    result = process("preview", "--file", "Pulumi.mine.yaml", cwd=tmp_path)

    assert result.returncode == 0
    assert result.stdout.decode().startswith("gpu-platform, stack mine\n")


def test_preview_of_bad_input_prints_no_part_of_a_plan() -> None:
    result = run("preview", "--file", str(BROKEN / "models.tensor-parallel-too-large.yaml"))

    assert (result.exit_code, result.stdout) == (2, "")
    assert "models[0].tensorParallel" in result.stderr


def test_a_gated_model_without_a_token_is_told_with_its_file_and_line(tmp_path: Path) -> None:
    """And by validate already: it needs no evaluation to see that the secret is missing."""
    path = tmp_path / "Pulumi.gated.yaml"
    text = (ROOT / "Pulumi.local.yaml").read_text(encoding="utf-8")
    path.write_text(
        text.replace("      - name: qwen3-8b\n", "      - name: qwen3-8b\n        gated: true\n"), encoding="utf-8"
    )

    for command in ("preview", "validate"):
        result = run(command, "--file", str(path))
        assert (command, result.exit_code, result.stdout) == (command, 2, "")
        assert f"{path}:" in result.stderr
        assert "models[0].gated" in result.stderr


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    code = "from cli.main import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "preview", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as command:
        assert command.stdout is not None
        assert command.stderr is not None
        command.stdout.close()
        errors = command.stderr.read()
    assert b"Traceback" not in errors
    assert b"Exception ignored" not in errors


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_a_terminal_that_cannot_show_the_tree_gets_no_traceback(encoding: str) -> None:
    result = process("preview", PYTHONIOENCODING=encoding)

    assert b"Traceback" not in result.stderr
    assert result.returncode == 0


# --- choosing ---------------------------------------------------------------------------------------------------------


def test_the_committed_environments_are_known() -> None:
    assert set(ENVIRONMENTS) <= set(environments())


@pytest.mark.parametrize("command", ["validate", "preview", "up"])
@pytest.mark.parametrize(("word", "nearest"), [("prd", "prod"), ("stagin", "staging"), ("Local", "local")])
def test_an_unknown_environment_gets_the_nearest_spelling(command: str, word: str, nearest: str) -> None:
    result = run(command, "--env", word)

    assert (result.exit_code, result.stdout) == (2, "")
    assert f'did you mean "{nearest}"?' in result.stderr
    assert f'"{word}"' in result.stderr


def test_a_mistake_on_the_command_line_is_not_called_one_in_the_settings() -> None:
    assert "in the settings" not in run("validate", "--env", "prd").stderr


def test_an_environment_far_from_any_is_told_what_there_is() -> None:
    result = run("validate", "--env", "zzz")

    assert result.exit_code == 2
    assert all(name in result.stderr for name in ENVIRONMENTS)


@pytest.mark.parametrize("word", ["../Pulumi.local", "local.yaml", "", "a/b", "*", "\x1b[31m"])
def test_an_environment_is_a_name_and_no_path(word: str) -> None:
    result = run("validate", "--env", word)

    assert (result.exit_code, result.stdout) == (2, "")
    assert all(line.isprintable() for line in result.stderr.splitlines())


# --- misuse -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["frobnicate"],
        ["validate", "--bogus"],
        ["validate", "stray"],
        ["preview", "--file"],
        ["up", "--timeout", "0"],
        ["up", "--timeout", "soon"],
        ["validate", "--file", "no-such-file.yaml"],
        ["preview", "--file", "no-such-file.yaml"],
        ["up", "--file", "no-such-file.yaml"],
        ["validate", "--file", "."],
        ["validate", "--file", "\0"],
        ["validate", "--file", "x" * 5000],
    ],
    ids=lambda words: " ".join(words)[:40].replace("\0", "NUL"),
)
def test_misuse_is_bad_input(words: list[str]) -> None:
    result = run(*words)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr
    assert "Traceback" not in result.stderr


def test_misuse_in_a_real_process() -> None:
    for words in (["frobnicate"], ["validate", "--file", "no-such-file.yaml"], ["up", "--timeout", "0"]):
        result = process(*words)
        assert (result.returncode, result.stdout) == (2, b"")
        assert b"Traceback" not in result.stderr


def test_an_unreadable_file_is_bad_input(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.locked.yaml"
    path.write_text("config: {}\n", encoding="utf-8")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")

    assert run("validate", "--file", str(path)).exit_code == 2


def test_a_file_without_end_is_refused_at_once() -> None:
    """A device has no size that says so."""
    if not Path("/dev/zero").exists():
        pytest.skip("no /dev/zero here")
    code = "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31)); from cli.main import main; main()"

    result = subprocess.run(
        [sys.executable, "-c", code, "validate", "--file", "/dev/zero"],
        cwd=ROOT,
        capture_output=True,
        check=False,
        timeout=30,
    )

    assert result.returncode == 2
    assert b"Traceback" not in result.stderr


def test_without_a_command_there_is_help() -> None:
    result = run()

    assert all(name in result.output for name in ("validate", "preview", "up", "status", "down"))
    assert run("--help").exit_code == 0


@pytest.mark.parametrize("command", ["validate", "preview", "up", "status", "down"])
def test_every_command_has_help(command: str) -> None:
    result = run(command, "--help")

    assert result.exit_code == 0
    assert {"--env", "--file", "--json"} <= set(result.stdout.replace(",", " ").split())


def test_the_command_is_installed_under_its_name() -> None:
    script = Path(sysconfig.get_path("scripts")) / "gpu-platform"
    if not script.exists():
        pytest.skip("the project is not installed in this environment")

    result = subprocess.run(
        [script, "validate", "--env", "local"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert result.stdout.startswith("local is valid")
