"""An exported file in the place of the network of a host's model.

The host goes on loading, sliding, flipping, resizing and scoring as with a checkpoint.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sacm_mm.core.errors import UserError
from sacm_mm.deploy.description import describe
from sacm_mm.deploy.runtimes import Exported, load_exported
from sacm_mm.registry import MODELS


@MODELS.register_module()
def exported_model(
    model: dict, file: str, runtime: str | None = None, trust: bool = False
) -> nn.Module:
    """Build a config's model whose predictions come from an exported file; it cannot be trained.

    Args:
        model: Config of the model that was exported.
        file: A file of ``export``.
        runtime: What runs a .onnx file, see ``load_exported``.
        trust: Take .pt2 files, see ``load_exported``.

    Returns:
        The model; its attribute ``exported`` is the file's network.

    Raises:
        UserError: The file cannot be run, has other outputs than the model, or takes pictures of
            another mean or std.
    """
    network = load_exported(file, runtime, trust)
    host: Any = MODELS.build(model)
    host.exported = network
    if network.end_to_end:
        host.data_preprocessor._enable_normalize = False  # the file does that
    else:
        _check_statistics(host, network.meta, file)
    if hasattr(host, 'head'):
        host.extract_feat = lambda inputs: _logits(network, inputs, file)
        host.head.forward = lambda logits: logits
    else:
        classes = host.decode_head.out_channels
        host.encode_decode = lambda inputs, metas: _maps(
            network, inputs, host.out_channels, classes, file
        )
    return host


def _check_statistics(host: nn.Module, meta: Mapping[str, Any], file: str) -> None:
    told = describe(host)
    for key in ('mean', 'std'):
        if meta.get(key, told[key]) != told[key]:
            raise UserError(
                f"'{file}' takes pictures of the {key} {meta[key]}, the config has {told[key]}: "
                'choose the config that it was exported with'
            )


def _run(network: Exported, inputs: Tensor) -> dict[str, Tensor]:
    """Run a file on a host's batch (N, C, H, W), normalized or, end to end, 0..255."""
    if network.end_to_end:
        pixels = inputs.permute(0, 2, 3, 1).to(torch.uint8)
        if not torch.equal(pixels.permute(0, 3, 1, 2).to(inputs.dtype), inputs):
            raise UserError(
                'the file takes pixels of 8 bits, but these pictures have others: export without '
                '--end-to-end'
            )
        inputs = pixels
    outputs = network(inputs.contiguous().cpu().numpy())
    return {name: torch.from_numpy(out).to(inputs.device) for name, out in outputs.items()}


def _logits(network: Exported, inputs: Tensor, file: str) -> Tensor:
    outputs = _run(network, inputs)
    if 'scores' in outputs:
        return outputs['scores'].log()  # the host takes the softmax of it
    if 'logits' not in outputs:
        raise UserError(f"'{file}' has the outputs {', '.join(outputs)}: it is no classifier")
    return outputs['logits']


def _maps(network: Exported, inputs: Tensor, channels: int, classes: int, file: str) -> Tensor:
    """Return (N, channels, H, W) as ``encode_decode`` does; classes as logits that are sure."""
    outputs = _run(network, inputs)
    if 'classes' in outputs:
        decided = outputs.pop('classes').long()
        chosen = F.one_hot(decided, max(classes, 2)).permute(0, 3, 1, 2)[:, -classes:]
        outputs = {'classes': chosen * 40.0 - 20.0, **outputs}  # a softmax or sigmoid of 1 or 0
    found = sum(out.shape[1] for out in outputs.values())
    if found != channels:
        raise UserError(
            f"'{file}' gives {found} channels ({', '.join(outputs)}), but the config's model "
            f'{channels}: choose the config that it was exported with'
        )
    return torch.cat(list(outputs.values()), dim=1)
