"""Predictions in a file that is whole or not there."""

from mmengine.evaluator import DumpResults as MMEngineDumpResults
from mmengine.fileio import dump

from sacm_mm.core.files import atomic_write
from sacm_mm.registry import METRICS


@METRICS.register_module()
class DumpResults(MMEngineDumpResults):
    """The host's, which writes in place: a full disk leaves half a file."""

    def compute_metrics(self, results: list) -> dict:
        """Write the predictions; there is no figure."""
        with atomic_write(self.out_file_path) as partial:
            dump(results, str(partial))
        return {}
