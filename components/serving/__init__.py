"""Serving: model servers."""

from components.serving.model_server import ModelServer, ModelServerArgs

__all__ = ["ModelServer", "ModelServerArgs"]
