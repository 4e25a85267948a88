"""Procedural pictures with exact masks and depth, so that every recipe runs without a download.

They stand in for the real sets while code is being tried out; no figure measured on them says
anything about the real sets. Not part of what is installed.
"""
