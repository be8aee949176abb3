"""Exports, checks and runs SavedModels."""
