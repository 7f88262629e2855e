"""How a new version of a model replaces the old one."""

from typing import Literal

from infra.settings.values import Positive, Settings

Strategy = Literal["surge", "replace", "recreate"]


class Rollout(Settings):
    """How servers are exchanged when anything about them changes.

    Source of the semantics: Kubernetes documentation, Deployments, strategy; what each costs is reckoned in
    `infra/planning/headroom.py`.
    """

    strategy: Strategy = "surge"
    """surge: a new server is ready before an old one goes; needs room for it in the pools, and that is checked.
    replace: an old server goes first, and its GPUs are the new one's; capacity falls by `atOnce` for as long as a
    server takes to start. recreate: all go, then all come; for versions that must not run side by side.
    Default: surge, which alone keeps the capacity."""
    at_once: Positive = 1
    """Servers exchanged at once. Default: 1, the least room or the least loss."""
