"""The page of the contract says what the contract is."""

from pathlib import Path

from stacks.contract import OPTIONAL_OUTPUTS, OUTPUTS, VERSION_OUTPUT

TYPES: dict[type, str] = {str: "text", list: "list of texts", dict: "map of texts"}


def test_the_table_is_the_contract(root: Path) -> None:
    page = (root / "docs" / "contract.md").read_text(encoding="utf-8")

    _, _, rows = page.partition("| Output | Layer | Type | Meaning |\n|---|---|---|---|\n")
    table = rows.partition("\n\n")[0].splitlines()
    assert table == [f"| `{o.name}` | {o.layer} | {TYPES[o.kind]} | {o.meaning} |" for o in OUTPUTS]
    assert f"`{VERSION_OUTPUT}`" in page


def test_the_optional_outputs_are_listed_too(root: Path) -> None:
    page = (root / "docs" / "contract.md").read_text(encoding="utf-8")

    _, _, rows = page.partition("| Optional output | Layer | Type | Meaning |\n|---|---|---|---|\n")
    table = rows.partition("\n\n")[0].splitlines()
    assert table == [f"| `{o.name}` | {o.layer} | {TYPES[o.kind]} | {o.meaning} |" for o in OPTIONAL_OUTPUTS]
