"""Tests of the delete hooks: guard, drain and sweep."""
