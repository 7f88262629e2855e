"""The shape of the repository: imports point one way, names shadow nothing, modules stay small."""

import ast
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Each room and the rooms it may import. `policies` and `simulator` read the plan, never the code that made it.
MAY_IMPORT = {
    "infra": {"infra"},
    "components": {"components", "infra"},
    "stacks": {"stacks", "components", "infra"},
    "policies": {"policies", "infra"},
    "simulator": {"simulator", "infra"},
    "teardown": {"teardown", "infra"},
    "cli": {"cli", "stacks", "components", "infra", "policies", "simulator", "teardown"},
}
ROOMS = [room for room in MAY_IMPORT if (ROOT / room).is_dir()]
GENERATED = re.compile(r"\.\w.*|__pycache__|.*\.egg-info|build|node_modules")
LONGEST_MODULE = 320
LONGEST_TEST = 450


def folders_and_modules(below: Path) -> Iterator[Path]:
    """Every folder and Python file below, without what tools generate."""
    for path in sorted(below.iterdir()):
        if GENERATED.fullmatch(path.name):
            continue
        if path.is_dir():
            yield path
            yield from folders_and_modules(path)
        elif path.suffix == ".py":
            yield path


EVERYTHING = list(folders_and_modules(ROOT))
MODULES = [path for path in EVERYTHING if path.suffix == ".py"]
PACKAGES = [path for path in MODULES if path.name == "__init__.py" and path.relative_to(ROOT).parts[0] in MAY_IMPORT]


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of every import in a module, inside functions and `TYPE_CHECKING` too."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            outer = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (outer, node.module or "") if part)
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("importlib.import_module", "import_module", "__import__") and node.args:
                argument = node.args[0]
                yield node.lineno, str(argument.value) if isinstance(argument, ast.Constant) else "<computed>"


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_one_way(room: str) -> None:
    modules = [path for path in MODULES if path.relative_to(ROOT).parts[0] == room]
    assert modules
    ours = set(MAY_IMPORT) | {"tests", "benchmarks", "examples"}

    wrong = [
        f"{shown(path)}:{line} imports {name}"
        for path in modules
        for line, name in imported(path)
        if name.partition(".")[0] in ours - MAY_IMPORT[room]
    ]

    assert wrong == []


def test_the_look_for_imports_finds_them_wherever_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the test above would pass on code that hides an import in a function."""
    monkeypatch.setattr("tests.test_architecture.ROOT", tmp_path)
    module = tmp_path / "infra" / "area" / "x.py"
    module.parent.mkdir(parents=True)
    module.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from stacks import program\n"
        "def f():\n    import components.nodes as n\n    from ..other import thing\n"
        "    import importlib\n    importlib.import_module('cli.main')\n",
        encoding="utf-8",
    )

    names = {name for _, name in imported(module)}

    assert {"stacks.program", "components.nodes", "infra.other.thing", "cli.main"} <= names


def test_infra_never_imports_pulumi() -> None:
    wrong = [
        f"{shown(path)}:{line} imports {name}"
        for path in MODULES
        if path.relative_to(ROOT).parts[0] == "infra"
        for line, name in imported(path)
        if name.partition(".")[0].startswith("pulumi")
    ]

    assert wrong == []


@pytest.mark.parametrize("room", [room for room in ("infra", "simulator", "teardown") if room in ROOMS])
def test_pulumi_is_not_loaded_in_a_roundabout_way_either(room: str) -> None:
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in MODULES
        if path.relative_to(ROOT).parts[0] == room and path.stem != "__main__"
    ]
    code = (
        f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\n"
        "print([name for name in sys.modules if name.startswith('pulumi') or name.partition('.')[0] in"
        " ('components', 'stacks', 'cli')])"
    )

    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[]"


def forbidden_names() -> set[str]:
    """Modules of the standard library, and what the pinned requirements install."""
    pinned = {
        re.split(r"[=<>~! \[]", line, maxsplit=1)[0].lower().replace("_", "-")
        for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    }
    installed = {
        Path(file.parts[0]).name.partition(".")[0]
        for name in pinned
        for file in importlib.metadata.files(name) or []
        if file.suffix in (".py", ".so", ".pyi") and not file.parts[0].endswith((".dist-info", "-stubs"))
    }
    return set(sys.stdlib_module_names) | {"kubernetes"} | {name for name in installed if name.isidentifier()}


def test_no_module_or_folder_has_the_name_of_a_library() -> None:
    """Pulumi runs a policy pack or a plugin with its own folder first on the path: such a name breaks it there."""
    forbidden = forbidden_names()
    assert {"queue", "platform", "types", "kubernetes", "pulumi", "pydantic", "yaml", "typer"} <= forbidden

    wrong = [
        shown(path) for path in EVERYTHING if path.stem in forbidden and path.name not in ("__init__.py", "__main__.py")
    ]

    assert wrong == []


@pytest.mark.parametrize("path", PACKAGES, ids=shown)
def test_a_package_says_what_lives_there(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))

    assert docstring
    assert len(docstring.split()) >= 3


@pytest.mark.parametrize("path", [path for path in MODULES if path.name != "__init__.py"], ids=shown)
def test_a_module_has_a_docstring_and_is_not_too_long(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    longest = LONGEST_TEST if path.relative_to(ROOT).parts[0] == "tests" else LONGEST_MODULE

    assert len(text.splitlines()) <= longest
    assert ast.get_docstring(ast.parse(text)), "a module says in its first line what it holds"


def test_no_path_of_a_machine_is_written_down() -> None:
    """What works only where it was written."""
    home = re.compile(r"/(home|Users)/(?!(vllm|kserve)\b)\w+|(?<![\w.])/work/\w+|(?<![\w.])/root/\w+")
    kept = {".py", ".yaml", ".md", ".toml", ".txt", ".json"}
    wrong = []
    for top in [*ROOMS, "tests", "docs", "examples", "benchmarks"]:
        for path in (ROOT / top).rglob("*"):
            if path.is_file() and path.suffix in kept and "__pycache__" not in path.parts and path != Path(__file__):
                text = path.read_text(encoding="utf-8", errors="replace")
                wrong += [f"{shown(path)}: {match.group()}" for match in home.finditer(text)]

    assert wrong == []


def test_every_requirement_is_pinned_exactly() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line.partition("#")[0].strip() for line in lines]

    assert all(re.fullmatch(r"[A-Za-z0-9_.\[\]-]+==[\w.]+", line) for line in wanted if line)


def test_public_signatures_of_components_can_be_analysed() -> None:
    """The cross-language analyser reads annotations as they stand: postponed ones, Literal and `Any` are refused."""
    wrong = []
    for path in MODULES:
        if path.relative_to(ROOT).parts[0] != "components":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        wrong += [
            f"{shown(path)}:{line} imports {name}" for line, name in imported(path) if name == "__future__.annotations"
        ]
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and any("TypedDict" in ast.unparse(base) for base in node.bases):
                fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
                wrong += [
                    f"{shown(path)}:{item.lineno} {ast.unparse(item)}"
                    for item in fields
                    if re.search(r"\b(Literal|Any)\b|\|", ast.unparse(item.annotation))
                ]
    assert wrong == []


def test_fixtures_of_a_session_are_taken_in_once() -> None:
    """A second import makes a second fixture, whose state folder then stands in for the first one to the end."""
    once = {"control_plane", "listener", "state_root"}
    takers = set()
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "tests.embedded":
                takers |= {shown(path) for alias in node.names if alias.name in once}
    assert takers == {"tests/conftest.py"}
