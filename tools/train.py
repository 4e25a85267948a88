#!/usr/bin/env python
"""Train a config; the same as ``sacm train``."""

from sacm_mm.cli.main import tool

if __name__ == '__main__':
    tool('train')
