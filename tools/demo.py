#!/usr/bin/env python
"""Draw what a model sees; the same as ``sacm predict``."""

from sacm_mm.cli.main import tool

if __name__ == '__main__':
    tool('predict')
