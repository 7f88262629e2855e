"""The type of what spec builders return."""

from typing import Any, TypeAlias

# JSON data in the Kubernetes API's own camelCase, which may hold Pulumi inputs. The SDK passes such keys on as they
# are, but its TypedDicts know only snake_case spellings, so no narrower type fits.
Spec: TypeAlias = Any
