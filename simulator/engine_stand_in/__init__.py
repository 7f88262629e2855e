"""A stand-in of a serving engine: a real process with real HTTP, metrics and signals, and no model.

It behaves as vLLM 0.33 does where clients, probes, gateways and autoscalers can see it: it refuses connections while it
loads, answers the OpenAI API with a stream of tokens at a stated speed, counts in vLLM's metrics, limits admission, and
drains or aborts on SIGTERM. It takes the very arguments that a server is rendered with, and options of its own:

    python -m simulator.engine_stand_in Qwen/Qwen3-8B --shutdown-timeout=90 --stand-in-ttft-seconds=0.05

`arguments` reads the command line, `serving` is the engine, `exposition` its metrics, `http_server` its door; `running`
starts one from a test or a scenario. Read in the sources of vLLM 0.33.0: v1/engine/core.py (`_handle_shutdown`,
`_reject_add_in_shutdown`), v1/engine/async_llm.py (`check_admission`), v1/metrics/loggers.py and buckets.py,
entrypoints/launchers/launcher.py.
"""
