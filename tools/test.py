#!/usr/bin/env python
"""Test a checkpoint of a config; the same as ``sacm test``."""

from sacm_mm.cli.main import tool

if __name__ == '__main__':
    tool('test')
