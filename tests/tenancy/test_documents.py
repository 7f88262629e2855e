"""The documents for people who come with manifests or values: whatever they name is there."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from infra.settings import PlatformSettings
from infra.settings.unions import _annotation, _class_in, kinds_in
from tests.conftest import ROOT

MISTAKES = ROOT / "docs" / "common-mistakes.md"
MIGRATION = ROOT / "docs" / "helm-values-migration.md"
TENANCY = ROOT / "docs" / "tenancy.md"
MULTI_NODE = ROOT / "docs" / "multi-node.md"

# Samples that are not about serving: nodes, queues, training, exporters, networking.
OTHERS = {"S0c", "S0f", "S2a", "S2b", "S2i", "S2j", "S2l", "S4a", "S4b", "S4c"}

AREAS = {info.alias or name for name, info in PlatformSettings.model_fields.items()}
CODE = re.compile(r"`([^`\n]+)`")
SETTING = re.compile(r"[a-z][A-Za-z]*(\[\])?(\.[a-z][A-Za-z]*(\[\])?)*")
PLACE = re.compile(r"(infra|components|stacks|simulator|tests|examples|docs)/[\w./-]+")
LINK = re.compile(r"\]\(([\w./-]+\.md)\)")


def codes(path: Path) -> list[str]:
    return CODE.findall(path.read_text(encoding="utf-8"))


def settings_named(path: Path) -> list[str]:
    """Code that is a setting by its form: its first word is an area of the settings."""
    whole = [text.partition(":")[0] for text in codes(path)]
    return [text for text in whole if SETTING.fullmatch(text) and re.split(r"[.\[]", text)[0] in AREAS]


def is_setting(path: str) -> bool:
    """Whether the schema has that place; below a choice of kinds it is enough that one kind has it."""
    classes: list[type[BaseModel]] = [PlatformSettings]
    for key in path.replace("[]", "").split("."):
        annotations = [found for model in classes if (found := _annotation(model, key)) is not None]
        if not annotations:
            return False
        classes = []
        for annotation in annotations:
            kinds = list(kinds_in(annotation).values())
            single = _class_in(annotation)
            classes += kinds or ([single] if single else [])
    return True


def rows(path: Path) -> Iterator[list[str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("| ") and not line.startswith(("| Value", "| Mistake", "|---")):
            yield [cell.strip() for cell in line.strip().strip("|").split(" | ")]


@pytest.mark.parametrize("path", [MISTAKES, MIGRATION, TENANCY, MULTI_NODE], ids=lambda path: path.stem)
def test_every_setting_that_is_named_is_in_the_schema(path: Path) -> None:
    named = settings_named(path)

    assert len(named) > 10
    assert [text for text in named if not is_setting(text)] == []


def test_a_setting_that_does_not_exist_is_noticed() -> None:
    assert is_setting("models[].drain.preStopSeconds")
    assert not is_setting("models[].drain.preStop")
    assert not is_setting("models[].autoscaling")


@pytest.mark.parametrize("path", [MISTAKES, MIGRATION, TENANCY, MULTI_NODE], ids=lambda path: path.stem)
def test_every_file_that_is_named_is_there(path: Path) -> None:
    # Files of charts are not ours.
    named = [text for text in codes(path) if PLACE.fullmatch(text) and not text.startswith("examples/online_serving")]
    links = LINK.findall(path.read_text(encoding="utf-8"))

    assert [text for text in named if not (ROOT / text).exists()] == []
    assert [text for text in links if not (path.parent / text).is_file()] == []


def test_every_serving_sample_has_its_section(shared: Path) -> None:
    index = shared / "seeds" / "samples" / "INDEX.tsv"
    with index.open(encoding="utf-8", newline="") as file:
        keys = {row["key"] for row in csv.DictReader(file, delimiter="\t")}
    sections = set(re.findall(r"^## (S\d.*)$", MISTAKES.read_text(encoding="utf-8"), re.MULTILINE))

    assert keys >= OTHERS  # a sample that is gone needs no exception
    assert keys - OTHERS == sections


def test_every_section_says_what_is_wrong_and_what_is_done_instead() -> None:
    text = MISTAKES.read_text(encoding="utf-8")
    parts = re.split(r"^## (S\d.*)$", text, flags=re.MULTILINE)[1:]
    sections = dict(zip(parts[::2], parts[1::2], strict=True))

    assert len(sections) > 20
    assert [name for name, body in sections.items() if "Here:" not in body and "autoscaling issue" not in body] == []
    assert [name for name, body in sections.items() if len(body.split()) < 25] == []


def test_every_value_has_a_setting_or_a_reason() -> None:
    table = list(rows(MIGRATION))

    assert len(table) > 70
    for cells in table:
        value, setting, note = (*cells, "")[:3]
        assert "`" in value, cells
        assert settings_in(setting) or (setting == "-" and note), cells


def settings_in(cell: str) -> list[str]:
    return [text for text in CODE.findall(cell) if is_setting(text)]


def test_the_values_of_the_sample_chart_are_all_there(shared: Path) -> None:
    import yaml

    values = yaml.safe_load((shared / "seeds/samples/S2h-vllm-serving-values.yaml").read_text(encoding="utf-8"))
    known = set(codes(MIGRATION))

    def leaves(node: object, above: str) -> Iterator[str]:
        if isinstance(node, dict) and above not in ("nodeSelector",):
            for key, item in node.items():
                yield from leaves(item, f"{above}.{key}" if above else str(key))
        else:
            yield above

    missing = [name for name in leaves(values, "") if name not in known]
    assert missing == ["resources.limits.nvidia.com/gpu"]  # equal to the request, by Kubernetes' own rule
