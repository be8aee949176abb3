"""Synthetic faces that need no download."""
