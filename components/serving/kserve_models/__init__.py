"""Models through KServe, in its three forms, and what KServe itself needs."""
