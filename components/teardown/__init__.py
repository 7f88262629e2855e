"""Delete hooks: resources that do nothing until they are deleted, and then ask something of the cluster first."""

from components.teardown.delete_hook import ReachArgs, delete_hook

__all__ = ["ReachArgs", "delete_hook"]
