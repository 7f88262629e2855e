"""How a follower of a group stops: not before its leader has.

The leader still generates for up to its drain, and every token runs through all pods of the group; vLLM's follower
ends at SIGTERM. Kubernetes sends that after the preStop hook, so the hook stays while the leader answers. A plain sleep
would do as well, but would hold GPUs, and the group's restart, for the whole drain also after a crash, when nothing is
left to drain.
"""

from components.specs import Spec

# Answers that fail in a row before the leader counts as gone: one may be late under load.
_FAILURES = 3

# Kubernetes does not put variables into a hook's command, so the script reads them. Arguments: port, path, seconds.
FOLLOWER_SCRIPT = f"""\
import os, sys, time, urllib.request
url = "http://" + os.environ["LWS_LEADER_ADDRESS"] + ":" + sys.argv[1] + sys.argv[2]
end, failed = time.monotonic() + float(sys.argv[3]), 0
while failed < {_FAILURES} and time.monotonic() < end:
    try:
        urllib.request.urlopen(url, timeout=5).close()
        failed = 0
    except Exception:
        failed += 1
    time.sleep(1)
"""


def follower_pre_stop(port: int, path: str, seconds: int) -> Spec:
    """`lifecycle.preStop` of a follower.

    Args:
        port, path: where the leader says that it lives.
        seconds: the longest it stays.
    """
    return {"exec": {"command": ["python3", "-c", FOLLOWER_SCRIPT, str(port), path, str(seconds)]}}
