#!/usr/bin/env python
"""Compare networks under one recipe; the same as ``sacm study``."""

from sacm_mm.cli.main import tool

if __name__ == '__main__':
    tool('study')
