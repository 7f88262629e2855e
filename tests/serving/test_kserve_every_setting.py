"""No setting of a model is dropped in silence: in each form of KServe it shows in an object, or it is refused, or it
is listed with the reason why neither is the case.
"""

from functools import cache

import pytest

from infra.errors import InputError
from infra.settings import PlatformSettings
from tests.serving.kserve_example import Json, settings_with
from tests.serving.kserve_forms import FORMS, base, merged, rendered, settings_of_models
from tests.serving.kserve_samples import ELSEWHERE, FORM_SETTINGS, POOL, SAMPLES

SHOWN, REFUSED, LISTED = "shown", "refused", "listed"


def settings(model: Json, platform: Json) -> PlatformSettings:
    """The example's settings with this model alone.

    Raises:
        InputError: when they are refused.
    """

    def edit(raw: Json) -> None:
        whole = merged({**raw, "nodePools": [POOL], "models": [model]}, platform)
        raw.clear()
        raw.update(whole)

    return settings_with(edit)


@cache
def without(form: str, setting: str) -> str:
    """What a form makes without the setting, and with what stands beside it."""
    beside = SAMPLES[setting].beside
    try:
        return rendered(settings(merged(base(form), beside), {}))
    except InputError:
        assert beside, f"the form {form} itself is refused"
        return ""  # so is what the setting needs beside it, and then the setting with it


def outcome(form: str, setting: str) -> str:
    """What becomes of a setting in a form; a failed assertion where it is dropped or refused for another reason."""
    sample, bare = SAMPLES[setting], without(form, setting)
    try:
        made = rendered(settings(merged(base(form), merged(sample.beside, sample.model)), sample.platform))
    except InputError as error:
        there = f"models[0].{sample.said_of or setting}"
        paths = {problem.path for problem in error.problems}
        about = any(path.startswith(there) or there.startswith(f"{path}.") for path in paths)
        assert about, f"refused for other reasons: {error.problems}"
        return REFUSED
    forms, reason = ELSEWHERE.get(setting, ((), ""))
    if form in forms:
        assert made == bare, f"{setting} shows in {form} and is listed: {reason}"
        return LISTED
    assert made != bare, f"{setting} is dropped in silence in {form}"
    assert sample.shows in made, f"{sample.shows} of {setting} is not there in {form}"
    assert not sample.shows or sample.shows not in bare, f"{sample.shows} is there without {setting}"
    return SHOWN


def test_every_setting_of_a_model_has_a_sample() -> None:
    assert set(SAMPLES) | FORM_SETTINGS == set(settings_of_models())


# What no form of KServe holds: the rest must show somewhere, or a sample that is always refused would prove nothing.
NOWHERE = {
    "engine",  # one that KServe does not run
    "custom",
    "nodes",
    "group.transport",
    "group.downloadPerNode",
    "compileCache.storageClass",
    "compileCache.gib",
    *(f"canary.qualityCheck.{name}" for name in ("image", "command", "url", "timeoutSeconds")),
}


@pytest.mark.parametrize("setting", SAMPLES)
def test_a_setting_shows_or_is_refused(setting: str) -> None:
    found = {form: outcome(form, setting) for form in FORMS}

    assert (set(found.values()) == {REFUSED}) == (setting in NOWHERE), found
