"""Batch norms by their running statistics: what they do, and what they say of a training."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

_MOMENTUM = 0.1  # PyTorch's: statistics average over ten steps
_AVERAGES = 20  # how often a run has to renew those that average over more
_CONSTANT = 1e-8  # variance of a channel that says the same everywhere


def affine(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Return the scale and shift (C,) that a batch norm applies in eval mode, in float64."""
    assert isinstance(norm, _BatchNorm)
    assert norm.running_mean is not None and norm.running_var is not None
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    shift = -norm.running_mean.double() * scale
    if norm.affine:
        scale, shift = scale * norm.weight.double(), shift * norm.weight.double()
        shift = shift + norm.bias.double()
    return scale, shift


def lagging_norms(model: nn.Module, steps: int | None) -> str:
    """Say why batch norms would be tested with the statistics of earlier weights, else nothing.

    Fast-SCNN has a momentum of 0.01, which fits the 160000 steps that it was made for: after 300 it
    predicts one class. Norms that a model keeps as they are (``norm_eval``) do not lag.

    Args:
        model: The model, which is put into training.
        steps: Of its training; None where that is not known.
    """
    norms = [norm for norm in model.train().modules() if isinstance(norm, _BatchNorm)]
    momenta = [norm.momentum for norm in norms if norm.training]
    slowest = min((momentum for momentum in momenta if momentum), default=1.0)
    if steps is None or slowest >= _MOMENTUM or steps * slowest >= _AVERAGES:
        return ''
    return (
        f'its norms have a momentum of {slowest}: their statistics average over {1 / slowest:.0f} '
        f'steps, too many for a run of {steps}; set momentum={_MOMENTUM} in its norm_cfg'
    )


def constant_channels(model: nn.Module) -> str:
    """Say in which batch norm most channels have come to be constant, else nothing.

    Where all inputs of a GELU or ReLU are negative, its channel learns no more. The one token of
    another picture that is not is then scaled up by 1 / sqrt(eps): patches of the largest depth.

    Args:
        model: A model that has been trained.
    """
    share, said = 0.5, ''
    for name, norm in model.named_modules():
        if isinstance(norm, _BatchNorm) and norm.running_var is not None:
            constant = int((norm.running_var < _CONSTANT).sum())
            if constant / norm.num_features > share:
                share = constant / norm.num_features
                said = (
                    f'{constant} of {norm.num_features} channels of {name} have come to be '
                    'constant: the network has lost them, and can be far off on other pictures'
                )
    return said
