#!/usr/bin/env python
"""Put another backbone into a config; the same as ``sacm swap``."""

from sacm_mm.cli.main import tool

if __name__ == '__main__':
    tool('swap')
