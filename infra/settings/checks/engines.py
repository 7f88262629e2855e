"""What is asked of an engine and what its version has: options, flags, image, and what was not confirmed."""

import re
from collections.abc import Iterator

from infra.catalog.engines import CUSTOM, VLLM, Engine, argument_problems, engine, engines, flag_table
from infra.catalog.engines.arguments import uses
from infra.catalog.engines.records import Flag
from infra.errors import Problem
from infra.settings.checks.draft import Draft
from infra.settings.models import ModelSettings
from infra.settings.values import is_commit

# Flags that would put a secret into the pod's arguments, where whoever may read pods reads it.
_SECRETS = re.compile(r"--(admin-)?api[-_]key|--hf[-_]token|--ngrok-authtoken|--ssl-keyfile-password")
# A file that could say anything, which no check sees.
_FILES = re.compile(r"--config|--extra_llm_api_options")
_VERSION = re.compile(r"(?<![0-9.])[0-9]+\.[0-9]+(\.[0-9]+)?(\.?(post|rc)[0-9]+)?")
# The first with --shutdown-timeout, without which SIGTERM aborts what runs (vLLM PR 34730).
_OLDEST_VLLM = (0, 18)
_TABLE = "infra/catalog/data/engine_options.csv"


def custom_is_described(draft: Draft) -> Iterator[Problem]:
    """An engine of one's own is described, and only that one."""
    for index, model in draft.models:
        if model.engine == CUSTOM.name and model.custom is None:
            yield Problem(
                f"models[{index}].custom",
                "nothing",
                "port, startPath, readyPath and livePath of the image",
                "add custom, or name an engine of the table",
            )
        if model.engine != CUSTOM.name and model.custom is not None:
            yield Problem(
                f"models[{index}].custom",
                f'given with engine "{model.engine}"',
                "custom only with engine: custom; the table knows the rest",
                "remove it, or write engine: custom",
            )


def engine_has_options(draft: Draft) -> Iterator[Problem]:
    """An option that the engine lacks would be dropped in silence."""
    for index, model in draft.models:
        facts = engine(model.engine)
        for name in sorted(asked_options(model)):
            if not _has(facts, name):
                setting = setting_of(name)
                yield Problem(
                    f"models[{index}].{setting}",
                    f"given with {facts.name}",
                    _who_has(name, facts),
                    f"remove {setting}" + (", or write it under custom.arguments" if facts is CUSTOM else ""),
                )


def memory_share_is_the_engines(draft: Draft) -> Iterator[Problem]:
    """Each engine means something else by a share of memory; one number for all would be wrong for most."""
    for index, model in draft.models:
        path, is_vllm = f"models[{index}]", model.engine == VLLM.name
        if not is_vllm and "gpu_memory_utilization" in model.model_fields_set:
            yield Problem(
                f"{path}.gpuMemoryUtilization",
                f"given with {model.engine}",
                "gpuMemoryUtilization with vllm only: a share of the whole memory for everything",
                "write engineOptions.memoryFraction, in the meaning of that engine (docs/engines.md)",
            )
        if is_vllm and model.engine_options.memory_fraction is not None:
            yield Problem(
                f"{path}.engineOptions.memoryFraction",
                f"{model.engine_options.memory_fraction} with vllm",
                "memoryFraction with other engines; the share of vLLM is gpuMemoryUtilization",
                f"write gpuMemoryUtilization: {model.engine_options.memory_fraction}",
            )


def doubts_are_accepted(draft: Draft) -> Iterator[Problem]:
    """What was not confirmed is used only where the settings insist."""
    for index, model in draft.models:
        if model.engine == CUSTOM.name or model.engine_options.unconfirmed == "accept":
            continue
        facts = engine(model.engine)
        given = {"image"} if model.image != facts.image else set()
        given |= {"user", "home", "variables"} if model.engine_options.run_as else set()
        doubts = list(facts.doubts(asked_options(model) | _always(facts), frozenset(given)))
        if doubts:
            said = "; ".join(f"{doubt.what}: {doubt.why}" for doubt in doubts)
            yield Problem(
                f"models[{index}].engine",
                f'"{facts.name}", of which {len(doubts)} facts were not confirmed',
                f"vllm, or engineOptions.unconfirmed: accept. Not confirmed for {facts.version}: {said}",
                "write engineOptions.unconfirmed: accept, and try one server before others depend on it",
            )


def remote_code_is_pinned(draft: Draft) -> Iterator[Problem]:
    """Code that runs in the server is code that somebody read: of one commit, or of a store, which holds one."""
    for index, model in draft.models:
        if not model.engine_options.trust_remote_code or model.weights:
            continue
        path, hub = f"models[{index}]", "https://huggingface.co/"
        if not model.model.startswith(("/", ".")) and not is_commit(model.revision or ""):
            yield Problem(
                f"{path}.revision",
                f'"{model.revision}" with trustRemoteCode' if model.revision else "nothing with trustRemoteCode",
                f"a commit of {model.model}, 40 hexadecimal digits: else who may push there runs code in the server",
                f"read the code, copy its commit from {hub}{model.model}/commits/main, and quote it",
            )
        draft_model = model.engine_options.speculative and model.engine_options.speculative.model
        if draft_model and not draft_model.startswith("/"):
            yield Problem(
                f"{path}.engineOptions.speculative.model",
                f'"{draft_model}" with trustRemoteCode',
                "a path: code of the draft model's repository would run too, of no commit that is known",
                "put the draft model into the image or the store, or remove trustRemoteCode",
            )


def image_is_the_engines(draft: Draft) -> Iterator[Problem]:
    """The table is of one version: an image of another may lack a flag, and one of another engine all of them."""
    for index, model in draft.models:
        if model.engine == CUSTOM.name:
            continue
        facts = engine(model.engine)
        repository, _, tag = _tagged(model.image)
        others = {_tagged(other.image)[0].rpartition("/")[2]: other.name for other in engines().values()}
        other = others.get(repository.rpartition("/")[2], facts.name)
        if other != facts.name:
            yield Problem(
                f"models[{index}].image",
                f'"{model.image}"',
                f"an image of {facts.name}; this is one of {other}",
                f"write engine: {other}, or an image of {facts.name} such as {facts.image}",
            )
            continue
        found = _VERSION.search(tag)
        if found and facts.name == VLLM.name and _release(found[0]) < _OLDEST_VLLM:
            yield _too_old(index, model, facts)
        elif model.engine_options.unconfirmed == "refuse":
            yield from _other_version(index, model, facts, found[0] if found else "")


def _too_old(index: int, model: ModelSettings, facts: Engine) -> Problem:
    return Problem(
        f"models[{index}].image",
        f'"{model.image}"',
        f"vLLM {'.'.join(str(number) for number in _OLDEST_VLLM)} or newer: older ones have no --shutdown-timeout, so"
        " requests would be cut, and before 0.14.1 images and checkpoints could break in (CVE-2026-22778,"
        " CVE-2026-22807)",
        f"write {facts.image}",
    )


def _other_version(index: int, model: ModelSettings, facts: Engine, version: str) -> Iterator[Problem]:
    if not version and "@" not in model.image:
        yield Problem(
            f"models[{index}].image",
            f'"{model.image}", whose tag names no version',
            f"an image of {facts.name} {facts.version}, by its tag or by a digest: what a moving tag names tomorrow may"
            " lack a flag",
            f"write {facts.image}, pin the image by @sha256:, or write engineOptions.unconfirmed: accept",
        )
    if version and version != facts.version:
        yield Problem(
            f"models[{index}].image",
            f'"{model.image}"',
            f"an image of {facts.name} {facts.version}: flags, paths and metrics were read there",
            f"write {facts.image}, or engineOptions.unconfirmed: accept",
        )


def extra_arguments_are_known(draft: Draft) -> Iterator[Problem]:
    """A flag that the version does not know ends the server minutes after its node was paid for."""
    for index, model in draft.models:
        given, path = model.engine_options.extra_arguments, f"models[{index}].engineOptions.extraArguments"
        if not given:
            continue
        if model.engine == CUSTOM.name:
            yield Problem(
                path, "given with custom", "arguments of an image of your own under custom.arguments", "move them"
            )
            continue
        facts, table = engine(model.engine), flag_table(model.engine)
        unwelcome: set[int] = set()
        for use in uses(given):
            flag = table.find(use.text)
            for problem in _not_here(f"{path}[{use.index}]", use.text, flag, facts, model) if flag else ():
                unwelcome.add(use.index)
                yield problem
        for refused in argument_problems(table, given):
            if refused.index in unwelcome:
                continue  # no use in mending what is to be removed
            place, meant = f"{path}[{refused.index}]", refused.mend.removeprefix("write ").partition("=")[0]
            flag = table.find(meant)
            # What was meant may have no place here either.
            instead = next(_not_here(place, meant, flag, facts, model), None) if flag else None
            yield Problem(place, refused.found, refused.accepted, instead.mend if instead else refused.mend)


def _not_here(path: str, text: str, flag: Flag, facts: Engine, model: ModelSettings) -> Iterator[Problem]:
    """A flag of the version that still does not belong into extraArguments."""
    shown, spellings = f'"{text}"', {flag.name, *flag.aliases}
    if any(_SECRETS.fullmatch(name) for name in spellings):
        accepted = "no secrets in arguments: whoever may read pods reads them"
        yield Problem(path, shown, accepted, "remove it; callers are let in by the gateway")
        return
    if any(_FILES.fullmatch(name) for name in spellings):
        accepted = "flags that can be checked; a file may say anything, and it is not in the pod"
        yield Problem(path, shown, accepted, "write its flags here")
        return
    reserved = flag_table(facts.name).reserved.get(flag.name)
    if reserved:
        mend = "remove it" if reserved.mend == "remove it" else f"remove it, and {reserved.mend}"
        yield Problem(path, shown, f"flags that the platform does not rest on: {reserved.reason}", mend)
        return
    owned = [option for option in facts.options.values() if spellings & {option.flag}]
    if not owned and not text.startswith("--"):
        yield Problem(path, shown, "flags written out in full, which a reader can look up", f"write {flag.name}")
    for option in owned[:1]:
        if option.name == "trust_remote_code":
            chosen = model.engine_options.trust_remote_code
            said = {True: "which says so already", False: "which says no", None: "so that it is said once and plainly"}
            yield Problem(
                path,
                shown,
                f"engineOptions.trustRemoteCode, {said[chosen]}: code of the repository would run in the server",
                "remove it, and write engineOptions.trustRemoteCode: true after you have read that code at a pinned"
                " revision",
            )
        elif option.setting:
            yield Problem(
                path, shown, f"the setting {option.setting} of the model", f"remove it, and use {option.setting}"
            )
        else:
            yield Problem(path, shown, "flags that the platform does not set itself", "remove it")


def asked_options(model: ModelSettings) -> frozenset[str]:
    """Options that the settings ask for and that are lost where the engine has none of the name."""
    asked = set(model.engine_options.used())
    if model.engine != CUSTOM.name:
        asked |= {"context"} if model.max_model_len else set()
        asked |= {"pipeline_parallel"} if model.pipeline_parallel > 1 else set()
        asked |= {"revision"} if model.revision and not model.weights else set()
    return frozenset(asked)


def _always(facts: Engine) -> frozenset[str]:
    """Options that every server is given."""
    return frozenset({"tensor_parallel", "drain", "host", "port", "metrics", "served_name"} & set(facts.options))


def _has(facts: Engine, name: str) -> bool:
    # Where it can only be switched off, it is on.
    return (
        facts.has(name)
        or (name == "prefix_caching" and facts.has("no_prefix_caching"))
        or (name == "speculative" and facts.has("speculative_method"))
    )


def setting_of(name: str) -> str:
    """Where users set an option."""
    rows = [facts.options[name].setting for facts in engines().values() if facts.has(name)]
    return next(filter(None, rows), f"engineOptions.{name}")


def _who_has(name: str, facts: Engine) -> str:
    others = [other.name for other in engines().values() if _has(other, name)]
    what = f"{facts.name} {facts.version}".strip()
    return f"an option that {what} has; this one is known of: {', '.join(others)} ({_TABLE})"


def _release(version: str) -> tuple[int, ...]:
    """Major and minor number of a version that _VERSION found."""
    return tuple(int(number) for number in version.split(".")[:2])


def _tagged(image: str) -> tuple[str, str, str]:
    """Repository, colon and tag of an image; the digest is left out."""
    name = image.partition("@")[0]
    repository, colon, tag = name.rpartition(":")
    return (repository, colon, tag) if colon and "/" not in tag else (name, "", "")
