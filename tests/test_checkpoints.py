"""Reading files of weights has no effect on anything else."""

import torch
from mmengine.logging import HistoryBuffer

from sacm_mm.core.checkpoints import load_checkpoint


def test_a_loaded_curve_leaves_the_averaging_of_others_alone(tmp_path):
    # the next log line of the process failed: "'_Inert' object is not callable"
    curve = HistoryBuffer([1.0, 3.0], [1, 1])
    torch.save(
        dict(state_dict={}, message_hub=dict(log_scalars={'loss': curve})), tmp_path / 'a.pth'
    )
    load_checkpoint(tmp_path / 'a.pth')
    assert HistoryBuffer([1.0, 3.0], [1, 1]).statistics('mean') == 2.0
