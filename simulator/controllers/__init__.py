"""Operators' real controllers, built from their Go modules and run as processes beside the embedded control plane.

`controller.py` says what one is, `webhooks.py` lets the API server call it at 127.0.0.1, `running.py` starts and stops
it with its environment, `known.py` lists those there are, one module each.
"""

from simulator.controllers.controller import Controller, Launch, Place
from simulator.controllers.running import WithControllers

__all__ = ["Controller", "Launch", "Place", "WithControllers"]
