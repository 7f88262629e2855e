"""`gpu-platform diff`: what it reads, what it says, and how it ends."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.cli.test_commands import BROKEN, process
from tests.conftest import ROOT


def run(*words: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, ["diff", *words], input=given)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plan of local as yesterday's preview wrote it."""
    path = tmp_path_factory.mktemp("kept") / "before.json"
    result = CliRunner().invoke(app, ["preview", "--env", "local", "--json"])
    path.write_text(result.stdout, encoding="utf-8")
    return path


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of local's file, with the image of its first model moved."""
    text = (ROOT / "Pulumi.local.yaml").read_text(encoding="utf-8")
    path = tmp_path / "Pulumi.local.yaml"
    image = "        image: docker.io/vllm/vllm-openai:v0.33.1\n        engineOptions: {unconfirmed: accept}\n"
    path.write_text(text.replace("      - name: qwen3-8b\n", f"      - name: qwen3-8b\n{image}"), encoding="utf-8")
    return path


def test_no_difference_is_three_lines(env: str) -> None:
    result = run(env, env)

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{env} -> {env}\n\nno difference\n"


@pytest.mark.parametrize("form", ["environment", "file", "kept plan", "standard input"])
def test_every_form_of_a_plan_is_the_same_plan(form: str, kept: Path) -> None:
    words = {
        "environment": "local",
        "file": str(ROOT / "Pulumi.local.yaml"),
        "kept plan": str(kept),
        "standard input": "-",
    }

    result = run("local", words[form], given=kept.read_text(encoding="utf-8"))

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("\nno difference\n")


def test_the_verdict_stands_first_and_the_cause_below_it(copy: Path) -> None:
    result = run("local", str(copy))

    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == f"local -> {copy}"
    assert lines[2].startswith("restarts 2 replicas of 1 model: ")
    assert lines[2].endswith("; nothing that holds data")
    assert "GPU-hours" in lines[2]
    assert any("v0.33.0 -> docker.io/vllm/vllm-openai:v0.33.1" in line for line in lines)
    assert {"Pods restarted", "Assumed"} <= set(lines)
    assert all(len(line) <= 118 or " -> " in line for line in lines)
    assert all(line.isprintable() for line in lines)


def test_json_holds_every_finding_and_the_sums(copy: Path, kept: Path) -> None:
    result = run(str(kept), str(copy), "--json")

    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    (finding,) = found["findings"]
    assert found["restartedReplicas"] == {"Deployment models/qwen3-8b": 2}
    assert finding["effect"] == "pods restarted"
    assert finding["changes"] == [
        {
            "path": "spec.template.spec.containers[engine].image",
            "old": "docker.io/vllm/vllm-openai:v0.33.0",
            "new": "docker.io/vllm/vllm-openai:v0.33.1",
            "certain": True,
        }
    ]
    assert finding["measure"]["outAtOnce"] == 0
    assert found["gpuHours"][0] <= found["gpuHours"][1]
    assert found["assumptions"]


def test_a_tag_on_ninety_resources_is_one_line(tmp_path: Path) -> None:
    text = (ROOT / "Pulumi.prod.yaml").read_text(encoding="utf-8")
    path = tmp_path / "Pulumi.prod.yaml"
    path.write_text(text.replace("owner: ml-platform", "owner: another"), encoding="utf-8")

    lines = run("prod", str(path)).stdout.splitlines()

    assert len([line for line in lines if line.strip() == "tags.owner: ml-platform -> another"]) == 1
    assert len(lines) < 60
    assert any("drains 27 nodes with 62 GPUs" in line for line in lines)


def test_two_stacks_can_be_compared_and_are_told_apart() -> None:
    result = run("dev", "local")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].startswith("warning: two different stacks, dev and local")


def problem(*words: str, given: str | None = None) -> str:
    result = run(*words, given=given)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "mend" in result.stderr
    return result.stderr


def test_a_word_that_means_nothing_is_told_with_the_nearest() -> None:
    text = problem("prd", "local")

    assert text.startswith("OLD\n")
    assert 'did you mean "prod"?' in text


def test_faults_of_both_sides_come_together() -> None:
    text = problem("missing.yaml", "absent.json")

    assert "OLD\n" in text
    assert "NEW\n" in text
    assert "2 problems" in text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", ":1\n  found     no JSON"),
        ("config: {}\n", ":1\n  found     no JSON"),
        ("[1]", "found     a list"),
        ('{"problems": []}', "an object with the keys problems"),
        ('{"formatVersion": 9, "resources": []}', "formatVersion\n  found     9"),
        ('{"formatVersion": 1, "resources": [{}], "mode": "unknown", "project": "p", "stack": "s"}', "resources[0]"),
    ],
)
def test_what_is_no_plan_is_told_with_its_file_and_place(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(content, encoding="utf-8")

    text = problem("local", str(path))

    assert text.startswith(str(path))
    assert said in text
    assert "preview" in text


def test_a_folder_bytes_and_a_broken_stack_file_are_told(tmp_path: Path) -> None:
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")

    assert "found" in problem("local", str(tmp_path))
    assert "not UTF-8" in problem("local", str(tmp_path / "bytes.json"))
    assert "models[0].tensorParallel" in problem("local", str(BROKEN / "models.tensor-parallel-too-large.yaml"))
    assert "standard input" in problem("local", "-", given="no plan")


def test_bad_input_as_json_is_json() -> None:
    result = run("prd", "local", "--json")

    assert (result.exit_code, result.stderr) == (2, "")
    assert json.loads(result.stdout)["problems"][0]["path"] == "OLD"


def test_the_same_change_is_told_in_the_same_words_every_time(copy: Path) -> None:
    first = process("diff", "local", str(copy), PYTHONHASHSEED="1")
    second = process("diff", "local", str(copy), PYTHONHASHSEED="2")

    assert (first.returncode, first.stderr) == (0, b"")
    assert first.stdout == second.stdout
