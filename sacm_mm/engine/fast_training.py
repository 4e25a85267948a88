"""Make a model train as fast as the machine can, without changing what it learns."""

from collections.abc import Callable
from typing import Any

import torch
import torch._dynamo.config as dynamo
from mmengine.dist import is_distributed
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn

from sacm_mm.core.allocator import keep_freed_blocks
from sacm_mm.engine.memory_format import FORMATS, fastest_format
from sacm_mm.engine.unwrapped import unwrapped
from sacm_mm.kernels.accelerating import accelerate, fast_parts, why_no_kernels
from sacm_mm.models.backbones.sa_convmixer import SAConvMixer
from sacm_mm.registry import HOOKS


@HOOKS.register_module()
class FastTrainingHook(Hook):
    """Put kernels into the model; on a GPU also channels-last and ``torch.compile``.

    On a CPU, a model that takes no kernels trains in the memory format in which a few tried steps
    were fastest; the checkpoints keep which, so that a resumed run rounds alike. ``torch.compile``
    is not tried there: it takes minutes.

    Only training changes: validation and testing take any size, and would compile for each. Where
    there is no compiler, the model is left as it is.
    """

    def before_train(self, runner: Runner) -> None:
        """Prepare the model and log what is on."""
        keep_freed_blocks()  # the hosts' own tools have not asked for it yet
        model = unwrapped(runner.model)
        accelerate(model, training=True)
        picked = ['kernels'] if fast_parts(model) else []
        on_gpu = next(model.parameters()).device.type == 'cuda'
        if not picked and not on_gpu and (reason := why_no_kernels(model, 'training')):
            runner.logger.warning(f'No kernels ({reason}): the model trains slower')
        if on_gpu:
            model.to(memory_format=torch.channels_last)
            picked.append('channels-last')
            # a network of timm as a whole has none
            if hasattr(model, 'backbone') and compile_training(model.backbone):
                picked.append('torch.compile')
        elif not picked and isinstance(runner.optim_wrapper, OptimWrapper) and not is_distributed():
            known = runner.message_hub.runtime_info.get('memory_format')
            memory_format = known or fastest_format(runner, model)
            runner.message_hub.update_info('memory_format', memory_format)
            model.to(memory_format=FORMATS[memory_format])
            picked.append(f'{memory_format}, the faster of two')
        runner.logger.info(f'Fast training: {", ".join(picked) or "nothing more for this model"}')


def compile_training(module: nn.Module) -> bool:
    """Compile the forward pass of a module for training; evaluation goes on uncompiled.

    Of an ``SAConvMixer`` each block is compiled by itself: equal blocks share what is compiled, so
    that twelve of them take seconds and not a minute, and nothing can be fused across them.

    Returns:
        Whether there is a working compiler; if not, nothing changes.
    """
    if not _compiler_works(next(module.parameters()).device):
        return False
    parts = list(module.blocks) if isinstance(module, SAConvMixer) else [module]
    # of one function, as many as there may be unlike blocks; what is over the limit is not compiled
    dynamo.recompile_limit = max(dynamo.recompile_limit, 2 * len(parts))
    for part in parts:
        part.forward = _compiled_in_training(part)
    return True


def _compiled_in_training(module: nn.Module) -> Callable:
    plain = module.forward
    compiled = torch.compile(plain, dynamic=False)

    def forward(*args: Any, **kwargs: Any) -> Any:
        run: Callable = compiled if module.training else plain
        return run(*args, **kwargs)

    return forward


def _compiler_works(device: torch.device) -> bool:
    """Compile one sum; a missing compiler or Triton shows as errors of many kinds."""
    if dynamo.disable:  # by TORCH_COMPILE_DISABLE=1
        return False
    try:
        torch.compile(lambda x: x + 1, dynamic=False)(torch.ones(8, device=device))
    except Exception:
        return False
    return True
