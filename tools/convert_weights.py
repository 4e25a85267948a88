#!/usr/bin/env python
"""Convert published weights; the same as ``sacm convert``."""

from sacm_mm.cli.main import tool

if __name__ == '__main__':
    tool('convert')
