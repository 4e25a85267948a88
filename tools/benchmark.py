#!/usr/bin/env python
"""Measure networks; the same as ``sacm benchmark``."""

from sacm_mm.cli.main import tool

if __name__ == '__main__':
    tool('benchmark')
