"""How the pods of a group stop: a follower not before its leader, and a leader of copies when nothing runs.

The leader still generates for up to its drain, and every token runs through all pods of the group; vLLM's follower
ends at SIGTERM. Kubernetes sends that after the preStop hook, so the hook stays while the leader answers. A plain sleep
would do as well, but would hold GPUs, and the group's restart, for the whole drain also after a crash, when nothing is
left to drain.

With data parallel the copies on other nodes are engines of their own, for which vLLM does not wait at SIGTERM: the
leader's process stops those of its own node, and of several API servers none waits for anything (0.33,
v1/engine/core_client.py, MPClient.shutdown). The leader's metrics count the requests of all copies. So its hook first
sleeps, as everywhere, and then waits until they are 0.
"""

from components.specs import Spec
from infra.catalog.engines import Engine
from infra.planning.drain import DrainBudget

# Answers that fail in a row before the leader counts as gone: one may be late under load.
_FAILURES = 3

# Readings in a row that say that nothing runs, a second apart: a request may be between two of the engine's queues.
_IDLE_READINGS = 3

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

# Arguments: port, path of the metrics, seconds to sleep, seconds to wait after that, names of gauges. What cannot be
# read counts as busy: the time is bounded.
LEADER_SCRIPT = f"""\
import sys, time, urllib.request
url, gauges = "http://127.0.0.1:" + sys.argv[1] + sys.argv[2], sys.argv[5:]
time.sleep(float(sys.argv[3]))
end, idle = time.monotonic() + float(sys.argv[4]), 0
while idle < {_IDLE_READINGS} and time.monotonic() < end:
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            lines = answer.read().decode().splitlines()
        values = [float(line.rsplit(" ", 1)[1]) for line in lines if line.partition("{{")[0] in gauges]
        idle = idle + 1 if values and not any(values) else 0
    except Exception:
        idle = 0
    time.sleep(1)
"""


def follower_pre_stop(port: int, path: str, seconds: int) -> Spec:
    """`lifecycle.preStop` of a follower.

    Args:
        port, path: where the leader says that it lives.
        seconds: the longest it stays.
    """
    return _python(FOLLOWER_SCRIPT, str(port), path, str(seconds))


def leader_pre_stop(facts: Engine, drain: DrainBudget) -> Spec:
    """`lifecycle.preStop` of a leader of data parallel copies; it holds the whole drain.

    Args:
        drain: what a server on one node would have.
    """
    gauges = [facts.metrics[meaning].name for meaning in ("running", "queue")]
    times = [str(drain.pre_stop_seconds), str(drain.shutdown_timeout_seconds)]
    return _python(LEADER_SCRIPT, str(facts.metrics_port), facts.metrics_path, *times, *gauges)


def _python(script: str, *arguments: str) -> Spec:
    """A hook in the engine's image, which has Python."""
    return {"exec": {"command": ["python3", "-c", script, *arguments]}}
