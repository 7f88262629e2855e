"""The one door to the settings: from a file, or from the engine's configuration, with every problem at once."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from infra.errors import InputError, Problem
from infra.planning.support import check_support
from infra.settings.checks import Draft, problems_across_areas
from infra.settings.cluster import ClusterSettings
from infra.settings.reporting import WHOLE, problems_of, shown, yaml_path
from infra.settings.schema import PlatformSettings
from infra.settings.target import LAYERS, Layer
from infra.settings.tokens import GATEWAY_KEYS, TOKEN, problems_of_tokens
from infra.settings.values import did_you_mean
from infra.settings.yaml_source import Lines, read_yaml

PROJECT = "gpu-platform"
PLATFORM_KEY = WHOLE
ENVIRONMENT_KEY = f"{PROJECT}:environment"
LAYERS_KEY = f"{PROJECT}:layers"
SECRET_KEYS = (f"{PROJECT}:{TOKEN}", f"{PROJECT}:{GATEWAY_KEYS}")
# Of these each client has a secret of its own, or all together have one.
_BY_CLIENT = f"{PROJECT}:{GATEWAY_KEYS}"


@dataclass(frozen=True, slots=True)
class StackFile:
    """One stack's configuration, as committed.

    Attributes:
        name: the stack, `dev` for `Pulumi.dev.yaml`.
        environment: the environment it is a part of; the same name unless the environment is split over stacks.
        layers: the layers it holds.
        secrets: names of the secrets the file holds, such as `huggingFaceToken`. Their values stay in the file: offline
            they cannot be decrypted, so they are unknown.
    """

    name: str
    environment: str
    layers: tuple[Layer, ...]
    settings: PlatformSettings
    secrets: frozenset[str]


def load_stack_file(path: Path, shown_as: str = "", on: date | None = None) -> StackFile:
    """Read one `Pulumi.<stack>.yaml`.

    Args:
        path: the file.
        shown_as: how messages name it; default: the path as given.
        on: day on which support windows are judged; without it they are not.

    Raises:
        InputError: with every problem, each with its line.
    """
    name = shown_as or str(path)
    stack = path.name.removeprefix("Pulumi.").removesuffix(".yaml")
    with _located(path, name, ()):
        config = _config_of(read_yaml(path, name))
        held = frozenset(key.removeprefix(f"{PROJECT}:") for key in SECRET_KEYS if key in config)
        part = _part_of_environment(config, path) if ENVIRONMENT_KEY in config else None
    if part:
        environment, layers = part
        whole = load_stack_file(environment, environment.name, on)
        return StackFile(stack, whole.name, layers, whole.settings, held | whole.secrets)
    with _located(path, name, ("config", PLATFORM_KEY)):
        settings = parse_settings(config[PLATFORM_KEY])
        missing = problems_of_tokens(settings, held)
        if missing:
            raise InputError(missing)
        if on:
            check_support(settings.cluster.kubernetes_version, on)
    return StackFile(stack, stack, settings.layers, settings, held)


@contextmanager
def _located(path: Path, shown_as: str, above: tuple[str, ...]) -> Iterator[None]:
    """Give the problems of the block their file and line; their paths begin below `above`."""
    try:
        yield
    except InputError as error:
        lines = Lines(path)
        found = []
        for problem in error.problems:
            keys = problem.keys or yaml_path(problem.path)
            line = problem.line or (lines.of([*above, *keys]) if keys else 0)
            found.append(replace(problem, file=shown_as, line=line))
        raise InputError(sorted(found, key=lambda problem: problem.line)) from None


def _part_of_environment(config: Mapping[str, Any], path: Path) -> tuple[Path, tuple[Layer, ...]]:
    """The file of the environment that a layer's stack belongs to, and the layers of that stack."""
    name, layers = config[ENVIRONMENT_KEY], config.get(LAYERS_KEY)
    files = {
        file.name.removeprefix("Pulumi.").removesuffix(".yaml"): file for file in path.parent.glob("Pulumi.*.yaml")
    }
    problems = []
    if not isinstance(name, str) or name not in files or files[name] == path:
        others = sorted(set(files) - {path.name.removeprefix("Pulumi.").removesuffix(".yaml")})
        accepted = f"an environment with a file beside this one: {', '.join(others) or 'there is none'}"
        mend = did_you_mean(str(name), others, "name one of them")
        problems.append(
            Problem(f"config.{ENVIRONMENT_KEY}", shown(name), accepted, mend, keys=("config", ENVIRONMENT_KEY))
        )
    known = isinstance(layers, list) and bool(layers) and all(layer in LAYERS for layer in layers)
    if not known:
        accepted = f"a list of layers: {', '.join(LAYERS)}"
        problems.append(
            Problem(
                f"config.{LAYERS_KEY}",
                shown(layers),
                accepted,
                "write it like [foundation]",
                keys=("config", LAYERS_KEY),
            )
        )
    if problems:
        raise InputError(problems)
    return files[str(name)], tuple(layers or ())


def parse_settings(raw: object) -> PlatformSettings:
    """Validate what stands under `gpu-platform:platform`.

    Args:
        raw: plain data, from YAML or from the engine's configuration.

    Raises:
        InputError: with every problem: of single values and across areas.
    """
    if not isinstance(raw, Mapping):
        found, accepted = shown(raw), "a mapping of areas: target, cluster and so on"
        raise InputError([Problem(PLATFORM_KEY, found, accepted, "write them, indented", keys=())])
    try:
        settings = PlatformSettings.model_validate(raw)
    except ValidationError as error:
        draft = _valid_parts(raw, error)
        raise InputError([*problems_of(error, PlatformSettings), *problems_across_areas(draft)]) from None
    across = list(problems_across_areas(_whole(settings)))
    if across:
        raise InputError(across)
    return settings


def _config_of(document: object) -> Mapping[str, Any]:
    """The `config` of a stack file, with the keys that are ours checked."""
    config = document.get("config") if isinstance(document, Mapping) else None
    if not isinstance(config, Mapping):
        raise InputError(
            [Problem("config", shown(document), f"a mapping `config` that holds {PLATFORM_KEY}", "see Pulumi.dev.yaml")]
        )
    known = (PLATFORM_KEY, ENVIRONMENT_KEY, LAYERS_KEY, *SECRET_KEYS)
    problems = [
        Problem(
            f"config.{key}",
            "an unknown key",
            f"one of: {', '.join(known)}",
            did_you_mean(str(key), known, "remove it"),
            keys=("config", str(key)),
        )
        for key in config
        if str(key).startswith(f"{PROJECT}:") and key not in known
    ]
    problems += [
        Problem(
            f"config.{key}",
            "a value in clear",
            "an encrypted secret",
            f"remove it from the file, change it where it came from, and run: pulumi config set --secret {key}",
            keys=("config", key),
        )
        for key in SECRET_KEYS
        if key in config and not _is_encrypted(key, config[key])
    ]
    if ENVIRONMENT_KEY in config and PLATFORM_KEY in config:
        mend = f"remove {PLATFORM_KEY}; the settings stand in the environment's own file"
        problems.append(
            Problem(
                f"config.{ENVIRONMENT_KEY}",
                f"{PLATFORM_KEY} beside it",
                "one of the two",
                mend,
                keys=("config", ENVIRONMENT_KEY),
            )
        )
    elif PLATFORM_KEY not in config and ENVIRONMENT_KEY not in config:
        problems.append(Problem("config", f"no {PLATFORM_KEY}", f"the key {PLATFORM_KEY}", "see Pulumi.dev.yaml"))
    if problems:
        raise InputError(problems)
    return config


def _is_encrypted(key: str, value: object) -> bool:
    """Whether a value of the file is a secret, or a mapping of nothing but secrets where that may be."""
    if not isinstance(value, Mapping) or not value:
        return False
    if set(value) == {"secure"} and isinstance(value["secure"], str):
        return True
    return key == _BY_CLIENT and all(_is_encrypted("", item) for item in value.values())


def _whole(settings: PlatformSettings) -> Draft:
    return Draft(
        target=settings.target,
        stage=settings.stage,
        tags=settings.tags,
        aws=settings.aws,
        network=settings.network,
        cluster=settings.cluster,
        destroy=settings.destroy,
        gpu_operator=settings.gpu_operator,
        mig_layouts=settings.mig_layouts,
        node_pools=tuple(enumerate(settings.node_pools)),
        fabric=settings.fabric,
        models=tuple(enumerate(settings.models)),
        gateway=settings.gateway,
        kserve=settings.kserve,
        tenants=tuple(enumerate(settings.tenants)),
        storage=settings.storage,
        without_cpu_pool=settings.cpu_pool is None,
        pool_names=frozenset(pool.name for pool in settings.node_pools),
        named_pools=tuple(
            (index, position, name)
            for index, model in enumerate(settings.models)
            for position, name in enumerate(model.node_pools)
        ),
    )


def _valid_parts(raw: Mapping[Any, Any], error: ValidationError) -> Draft:
    """What remains of the settings when everything that `error` names is left out."""
    broken = {details["loc"][:2] for details in error.errors()}
    if () in broken:
        return Draft()  # a key that is no text: pydantic looked at nothing else
    parts: dict[str, Any] = {}
    for field, info in PlatformSettings.model_fields.items():
        alias = info.alias or field
        value = raw.get(alias)
        if value is None:
            continue
        if field in ("node_pools", "models", "tenants"):
            parts[field] = _valid_items(alias, value, broken)
        elif not any(place[:1] == (alias,) for place in broken):
            parts[field] = _one(field, value)
    pools = raw.get("nodePools", [])
    if isinstance(pools, list):
        names = [pool.get("name") for pool in pools if isinstance(pool, Mapping)]
        parts["pool_names"] = frozenset(name for name in names if isinstance(name, str))
        parts["named_pools"] = tuple(_named_pools(raw.get("models")))
    parts["broken_areas"] = frozenset(str(place[0]) for place in broken if place)
    return Draft(**{name: value for name, value in parts.items() if name in Draft.__dataclass_fields__})


def _named_pools(models: object) -> Iterator[tuple[int, int, str]]:
    """What models name under nodePools, also models that are not valid otherwise."""
    for index, model in enumerate(models if isinstance(models, list) else ()):
        names = model.get("nodePools") if isinstance(model, Mapping) else None
        for position, name in enumerate(names if isinstance(names, list) else ()):
            if isinstance(name, str):
                yield index, position, name


def _valid_items(alias: str, value: object, broken: set[tuple[int | str, ...]]) -> tuple[tuple[int, Any], ...]:
    if not isinstance(value, list) or (alias,) in broken:
        return ()
    field = {"nodePools": "node_pools"}.get(alias, alias)
    good = [index for index in range(len(value)) if (alias, index) not in broken]
    return tuple(zip(good, _one(field, [value[index] for index in good]), strict=True))


def _one(field: str, value: object) -> Any:  # the field's own type, known to the caller only
    """Validate one area alone; the caller knows that it is valid."""
    blank = PlatformSettings.model_construct(target="local", cluster=ClusterSettings(name="blank"))
    return PlatformSettings.__pydantic_validator__.validate_assignment(blank, field, value).__dict__[field]
