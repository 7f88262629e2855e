"""What is known: GPU instance types, where they are offered, models and engines.

Each subject is a data file under `data/` and a typed loader beside it; `data/SOURCES.md` says where every figure comes
from. Loaders read their file once, when first asked.
"""
