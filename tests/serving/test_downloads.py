"""What a server downloads beside its checkpoint: room in its cache, in the tenant's quota, and time."""

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from infra.planning.host_share import cache_gib
from infra.planning.startup.of_models import starts_of
from infra.settings import PlatformSettings, parse_settings
from infra.settings.tenant_demand import ask_of
from stacks.engine_options import engine_options, serving_pod
from tests.settings.engine_samples import raw, refused

OWN_DRAFT = {"method": "draft_model", "model": "example-org/draft", "tokens": 3}


def parsed(**options: Any) -> PlatformSettings:
    return parse_settings(raw(options, maxModelLen=8192))


def cache_of(settings: PlatformSettings) -> int:
    """The cache of its server, for which quota and pod agree."""
    (model,) = settings.models
    found = serving_pod(model, settings)["cache_gib"]
    ask = ask_of(model, settings.node_pools, settings.mig_layouts, settings.storage)
    assert ask.requests["ephemeral-storage"] == found * 2**30
    return found


CHECKPOINT = parsed().models[0].known_checkpoint_gib or 0.0


@given(draft=st.floats(0.5, 500))
def test_a_draft_model_has_room_in_the_cache(draft: float) -> None:
    settings = parsed(speculative={**OWN_DRAFT, "checkpointGib": draft})

    assert cache_of(settings) == cache_gib(CHECKPOINT + draft) >= CHECKPOINT + draft
    # The engine is told nothing of its size.
    assert "checkpoint_gib" not in engine_options(settings.models[0], settings)["speculative"]


def test_the_size_of_a_draft_is_the_catalogues_or_must_be_said() -> None:
    known = parsed(speculative={**OWN_DRAFT, "model": "microsoft/Phi-4-mini-instruct"})

    assert cache_of(known) == cache_gib(CHECKPOINT + 7.15)
    problem = refused("engineOptions.speculative.model", raw({"speculative": OWN_DRAFT}))
    assert "checkpointGib" in problem.mend


def test_adapters_have_room_by_their_rank_or_their_stated_size() -> None:
    one, other = ({"name": name, "source": f"example-org/{name}"} for name in ("a", "b"))

    assert cache_of(parsed(loraAdapters=[one, other])) == cache_gib(CHECKPOINT + 2 * 16 * 0.05)
    assert cache_of(parsed(loraAdapters=[one], maxLoraRank=512)) == cache_gib(CHECKPOINT + 512 * 0.05)
    stated = parsed(loraAdapters=[{**one, "checkpointGib": 40.0}], maxLoraRank=512)
    assert cache_of(stated) == cache_gib(CHECKPOINT + 40)
    assert engine_options(stated.models[0], stated)["lora_adapters"] == [one]


def test_what_the_image_holds_takes_no_room() -> None:
    held = parsed(
        speculative={**OWN_DRAFT, "model": "/models/draft"}, loraAdapters=[{"name": "a", "source": "/adapters/a"}]
    )

    assert cache_of(held) == math.ceil(CHECKPOINT * 1.1 + 10)


def test_what_is_downloaded_takes_time() -> None:
    (alone,), (beside,) = (
        starts_of(parsed(**options)) for options in ({}, {"speculative": {**OWN_DRAFT, "checkpointGib": CHECKPOINT}})
    )

    assert alone.chosen.weights is not None
    assert beside.chosen.weights is not None
    assert beside.chosen.weights.high > 1.9 * alone.chosen.weights.high
