"""The verbs of ``tools/benchmark.py``: their flags and what they run, imported when asked for."""
