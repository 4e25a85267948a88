"""Checkpoints that are written whole or not at all."""

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook

from sacm_mm.core.files import write_bytes
from sacm_mm.registry import HOOKS


class AtomicLocalBackend(LocalBackend):
    """Local files that appear under their name only when they are complete."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write ``obj`` beside ``filepath``, then rename it into place."""
        write_bytes(obj, filepath)


register_backend('sacm_mm_atomic', AtomicLocalBackend, force=True)


@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """The host's hook, writing atomically.

    The host writes in place, so a kill in the middle leaves a truncated file under the final name.
    """

    def __init__(self, *args, backend_args: dict | None = None, **kwargs) -> None:
        backend_args = backend_args or {'backend': 'sacm_mm_atomic'}
        super().__init__(*args, backend_args=backend_args, **kwargs)
