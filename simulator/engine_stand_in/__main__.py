"""`python -m simulator.engine_stand_in`: one stand-in, until SIGTERM. Exit code 0; 2 for a flag it does not know."""

import asyncio
import signal
import socket
import sys
from pathlib import Path

from infra.catalog.engines import flag_table
from simulator.engine_stand_in.arguments import StandIn, UnknownFlagError, parse, refuse
from simulator.engine_stand_in.http_server import HttpServer
from simulator.engine_stand_in.serving import Engine


def main(words: list[str]) -> int:
    """Serve until SIGTERM."""
    try:
        options = parse(words, flag_table("vllm"))
    except (UnknownFlagError, ValueError) as error:
        return refuse(error)
    asyncio.run(_serve(options))
    return 0


async def _serve(options: StandIn) -> None:
    terminated = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated.set)
    # As vLLM: the port is taken at once, but nothing listens on it before the engine has loaded.
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind(("127.0.0.1", options.port))
    if options.port_file:
        _write_whole(Path(options.port_file), str(door.getsockname()[1]))
    await _until(terminated, options.load_seconds)
    if terminated.is_set():
        return
    engine = Engine(options)
    server = await asyncio.start_server(HttpServer(engine).serve, sock=door)
    await terminated.wait()
    await engine.stop()
    await asyncio.sleep(0.05)  # what was written last leaves the process
    server.close()


async def _until(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return


def _write_whole(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.rename(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
