"""Synthetic faces, no download needed."""
