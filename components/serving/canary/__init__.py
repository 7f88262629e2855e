"""Canary rollouts: a new version takes over step by step, or gives the traffic back."""
