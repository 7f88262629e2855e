"""Container images: repositories of our own and caches of public registries."""

from components.registry.image_registry import ImageRegistry, ImageRegistryArgs

__all__ = ["ImageRegistry", "ImageRegistryArgs"]
