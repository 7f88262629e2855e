"""The sidecar that empties local scratch, run for real, and the parts it adds to a pod."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from components.storage.checkpoint_spec import SCRIPT_NAME, copy_script, mounted_store, scratch_store
from tests.conftest import ROOT

SCRIPT = ROOT / "components" / "storage" / SCRIPT_NAME


def start(scratch: Path, store: Path) -> "subprocess.Popen[str]":
    words = [f"--scratch={scratch}", f"--store={store}", "--every=0.1"]
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(SCRIPT), *words], env={"PATH": os.environ["PATH"]}, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def until(done: Callable[[], bool]) -> None:
    for _ in range(200):
        if done():
            return
        time.sleep(0.05)
    raise AssertionError("still waiting")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    scratch, store = tmp_path / "scratch", tmp_path / "store"
    scratch.mkdir()
    store.mkdir()
    return scratch, store


def test_finished_files_arrive_while_training_goes_on_and_the_rest_at_the_end(folders: tuple[Path, Path]) -> None:
    scratch, store = folders
    process = start(scratch, store)
    try:
        (scratch / "step-1").mkdir()
        (scratch / "step-1" / "model.safetensors").write_bytes(b"a" * 100_000)
        until((store / "step-1" / "model.safetensors").is_file)
        assert (store / "step-1" / "model.safetensors").read_bytes() == b"a" * 100_000

        (scratch / "step-2").write_bytes(b"written just before the end")
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)

    assert process.returncode == 0
    assert (store / "step-2").read_bytes() == b"written just before the end"
    assert not list(store.rglob("*.part"))


def test_a_file_that_grows_waits(folders: tuple[Path, Path]) -> None:
    from components.storage.checkpoint_copy import finished

    scratch, _ = folders
    (scratch / "growing").write_bytes(b"1")
    first, seen = finished(scratch, {})
    (scratch / "growing").write_bytes(b"12")
    second, seen = finished(scratch, seen)
    third, _ = finished(scratch, seen)

    assert (first, second, third) == ([], [], [scratch / "growing"])


def test_what_is_deleted_from_scratch_stays_in_the_store(folders: tuple[Path, Path]) -> None:
    from components.storage.checkpoint_copy import copy_new

    scratch, store = folders
    (scratch / "old").write_bytes(b"1")
    assert copy_new(scratch, store, [scratch / "old"]) == 1
    assert copy_new(scratch, store, [scratch / "old"]) == 0
    (scratch / "old").unlink()
    copy_new(scratch, store, [])

    assert (store / "old").is_file()


def test_the_sidecar_outlives_the_trainer_and_runs_the_tested_script() -> None:
    parts = scratch_store("train", "scratch", "python:3.12", 500, 30)
    (sidecar,) = parts.init_containers
    mounts = {mount["name"] for mount in sidecar["volumeMounts"]}

    assert sidecar["restartPolicy"] == "Always"
    assert mounts == {volume["name"] for volume in parts.volumes}
    assert parts.grace_seconds == 2500
    assert copy_script() == SCRIPT.read_text(encoding="utf-8")
    assert parts.mounts == mounted_store("train").mounts  # the trainer does not see the difference
