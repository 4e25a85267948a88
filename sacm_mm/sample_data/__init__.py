"""Procedural pictures with exact masks and depth, so that every recipe runs without a download.

The pictures stand in for the real sets while code is being tried out; no figure measured on them
says anything about the real sets.
"""

from sacm_mm.sample_data.layouts import WRITERS, Written
from sacm_mm.sample_data.scene import VOC_OBJECTS, Scene, render_scene
from sacm_mm.sample_data.street import CAMVID_CLASSES, render_street

__all__ = [
    'CAMVID_CLASSES',
    'VOC_OBJECTS',
    'WRITERS',
    'Scene',
    'Written',
    'render_scene',
    'render_street',
]
