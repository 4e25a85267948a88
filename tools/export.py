#!/usr/bin/env python
"""Write a trained model as a file for other runtimes; the same as ``sacm export``."""

from sacm_mm.cli.main import tool

if __name__ == '__main__':
    tool('export')
