"""The script of the download Job, run for real: a process of its own against a server that misbehaves."""

import fcntl
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.storage.hub import REPOSITORY, REVISION, FakeHub, serving

SCRIPT = ROOT / "components" / "storage" / "download.py"
WEIGHTS = "model-00001-of-00002.safetensors"
OTHER = "model-00002-of-00002.safetensors"
CONFIG = b'{"architectures": ["LlamaForCausalLM"]}'


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - content, not a secret


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    large = {WEIGHTS: noise(3_000_000, 1), OTHER: noise(500_000, 2), "tokenizer.json": noise(10_000, 3)}
    with serving(FakeHub(large, {"config.json": CONFIG, "empty.txt": b""})) as made:
        yield made


def run(*words: str, token: str = "") -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], **({"HF_TOKEN": token} if token else {})}
    # -I -S: no packages, no repository: nothing but the standard library, as in the Job's image.
    return subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT), *words],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def fetch(hub: FakeHub, into: Path, token: str = "") -> subprocess.CompletedProcess[str]:
    words = ["--repository", REPOSITORY, "--revision", REVISION, "--into", str(into), "--endpoint", hub.url]
    return run("fetch", *words, token=token)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def ranges(hub: FakeHub, name: str) -> list[str]:
    return [asked for path, asked, _ in hub.asked if path.endswith(name)]


def test_everything_arrives_and_the_marker_says_what(hub: FakeHub, tmp_path: Path) -> None:
    result = fetch(hub, tmp_path)

    assert (result.returncode, result.stderr) == (0, "")
    assert files(tmp_path) == {*hub.large, *hub.small, ".complete.json", ".lock"}
    assert all((tmp_path / path).read_bytes() == content for path, content in {**hub.large, **hub.small}.items())
    told = json.loads((tmp_path / ".complete.json").read_text())
    assert (told["repository"], told["revision"]) == (REPOSITORY, REVISION)
    assert {row["path"] for row in told["files"]} == {*hub.large, *hub.small}  # both pages of the listing


def test_a_connection_that_drops_half_way_is_resumed_where_it_ended(hub: FakeHub, tmp_path: Path) -> None:
    hub.drop_at[WEIGHTS] = 1_500_000

    result = fetch(hub, tmp_path)

    assert result.returncode == 0, result.stderr
    assert ranges(hub, WEIGHTS) == ["", "bytes=1500000-"]  # not one byte twice
    assert (tmp_path / WEIGHTS).read_bytes() == hub.large[WEIGHTS]


def test_a_run_that_was_killed_is_continued_by_the_next(hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / f"{WEIGHTS}.part").write_bytes(hub.large[WEIGHTS][:2_000_000])

    assert fetch(hub, tmp_path).returncode == 0

    assert ranges(hub, WEIGHTS) == ["bytes=2000000-"]
    assert (tmp_path / WEIGHTS).read_bytes() == hub.large[WEIGHTS]


def test_a_server_that_knows_no_ranges_starts_anew(hub: FakeHub, tmp_path: Path) -> None:
    hub.ranges = False
    (tmp_path / f"{WEIGHTS}.part").write_bytes(hub.large[WEIGHTS][:2_000_000])

    assert fetch(hub, tmp_path).returncode == 0
    assert (tmp_path / WEIGHTS).read_bytes() == hub.large[WEIGHTS]


@pytest.mark.parametrize("name", [WEIGHTS, "config.json"])
def test_a_corrupted_file_is_refused_and_nobody_may_load_it(hub: FakeHub, tmp_path: Path, name: str) -> None:
    hub.corrupt.add(name)

    result = fetch(hub, tmp_path)

    assert result.returncode == 1
    assert f"failed: {name}: refused and removed" in result.stderr
    assert name not in files(tmp_path)
    assert f"{name}.part" not in files(tmp_path)  # else the next run would go on from it
    assert ".complete.json" not in files(tmp_path)
    hub.corrupt.clear()
    assert fetch(hub, tmp_path).returncode == 0  # the Job's next attempt


def test_a_part_that_is_corrupt_is_refused_after_it_was_resumed(hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / f"{WEIGHTS}.part").write_bytes(noise(2_000_000, 99))

    assert fetch(hub, tmp_path).returncode == 1
    assert fetch(hub, tmp_path).returncode == 0


def test_a_second_run_asks_for_nothing(hub: FakeHub, tmp_path: Path) -> None:
    fetch(hub, tmp_path)
    hub.asked.clear()

    assert fetch(hub, tmp_path).returncode == 0
    assert hub.asked == []


def test_a_file_that_went_missing_is_brought_again_although_the_marker_is_there(hub: FakeHub, tmp_path: Path) -> None:
    fetch(hub, tmp_path)
    (tmp_path / OTHER).unlink()
    hub.asked.clear()

    assert fetch(hub, tmp_path).returncode == 0
    assert (tmp_path / OTHER).read_bytes() == hub.large[OTHER]
    assert ranges(hub, WEIGHTS) == []


def test_two_writers_do_not_meet(hub: FakeHub, tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        result = fetch(hub, tmp_path)

    assert result.returncode == 1
    assert "another writer is at work" in result.stderr


def test_the_token_reaches_the_hub_and_not_where_it_redirects(tmp_path: Path) -> None:
    content = {WEIGHTS: noise(1000, 1)}
    with serving(FakeHub(content)) as cdn, serving(FakeHub(content, token="hf_secret", cdn=cdn.url)) as hub:
        refused = fetch(hub, tmp_path)
        result = fetch(hub, tmp_path, token="hf_secret")

    assert refused.returncode == 1
    assert "HTTP 401" in refused.stderr
    assert result.returncode == 0, result.stderr
    assert {sent for _, _, sent in cdn.asked} == {""}
    assert "hf_secret" not in result.stdout + result.stderr


def test_other_formats_of_the_same_weights_are_left_out(hub: FakeHub, tmp_path: Path) -> None:
    hub.large["pytorch_model.bin"] = hub.large["original/consolidated.00.pth"] = noise(1000, 7)

    assert fetch(hub, tmp_path).returncode == 0
    assert not {"pytorch_model.bin", "original/consolidated.00.pth"} & files(tmp_path)


@pytest.mark.parametrize("path", ["../outside.safetensors", "/etc/outside", "a/../../b"])
def test_a_repository_cannot_write_outside_its_folder(hub: FakeHub, tmp_path: Path, path: str) -> None:
    hub.large[path] = noise(10, 1)

    result = fetch(hub, tmp_path / "model")

    assert result.returncode == 1
    assert "outside itself" in result.stderr


def test_a_revision_that_is_not_there_is_said(hub: FakeHub, tmp_path: Path) -> None:
    words = ["--repository", "acme/other", "--revision", REVISION, "--into", str(tmp_path), "--endpoint", hub.url]

    result = run("fetch", *words)

    assert result.returncode == 1
    assert "HTTP 404" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_copy_to_local_disks_is_verified_too(hub: FakeHub, tmp_path: Path) -> None:
    shared, local = tmp_path / "shared", tmp_path / "local"
    fetch(hub, shared)

    assert run("copy", "--source", str(shared), "--into", str(local)).returncode == 0
    assert files(local) == files(shared)
    (shared / WEIGHTS).write_bytes(noise(3_000_000, 50))
    (local / WEIGHTS).unlink()
    (local / ".complete.json").unlink()
    result = run("copy", "--source", str(shared), "--into", str(local))

    assert result.returncode == 1
    assert f"{WEIGHTS}: refused" in result.stderr
    assert not (local / ".complete.json").exists()


def test_a_copy_of_half_a_model_is_refused(tmp_path: Path) -> None:
    result = run("copy", "--source", str(tmp_path), "--into", str(tmp_path / "local"))

    assert result.returncode == 1
    assert "holds no complete model" in result.stderr
