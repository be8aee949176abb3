"""Captchas: generated, or read from a folder."""
