"""Where model weights and checkpoints lie, and the Job that brings a model there."""
