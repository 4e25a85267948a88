#!/usr/bin/env python
"""Draw learning curves; the same as ``sacm plot``."""

from sacm_mm.cli.main import tool

if __name__ == '__main__':
    tool('plot')
