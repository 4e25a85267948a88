#!/usr/bin/env python
"""Bring a published data set to our layout; the same as ``sacm prepare``."""

from sacm_mm.cli.main import tool

if __name__ == '__main__':
    tool('prepare')
