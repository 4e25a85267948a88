"""The verbs of ``sacm benchmark``."""
