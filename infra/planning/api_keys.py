"""API keys of the gateway's clients as one text: read once, and never repeated in a message."""

import json
import re
from typing import Any

# Keys of a Secret (Kubernetes API conventions, ConfigMaps and Secrets); each is a client's name.
_CLIENT = re.compile(r"[-._a-zA-Z0-9]{1,253}")


def keys_by_client(text: str) -> dict[str, str]:
    """The keys by client.

    Raises:
        ValueError: when the text is anything but a JSON object of one key for each client. The message holds nothing of
            it: where names and keys were mixed up, a name is a key.
    """
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError:
        raise ValueError("no JSON") from None
    if not isinstance(found, dict) or not found:
        raise ValueError("no JSON object of client to key")
    faults = {
        "with other characters than letters, digits, - _ and .": [not _CLIENT.fullmatch(name) for name in found],
        "without a key, or with one that is no text": [
            not isinstance(key, str) or not key.strip() for key in found.values()
        ],
    }
    for fault, bad in faults.items():
        if any(bad):
            raise ValueError(f"{sum(bad)} of {len(bad)} clients {fault}")
    if len(set(found.values())) < len(found):
        raise ValueError("one key for several clients")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:  # what JSON may hold
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a client with two keys")
    return dict(pairs)
