"""AdamW whose steps of the channel-mixing matrices are Muon's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sacm_mm.core.errors import UserError
from sacm_mm.registry import OPTIMIZERS

# of the quintic x -> a x + b x^3 + c x^5, which takes all singular values near 1 within five rounds
_QUINTIC = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5


@OPTIMIZERS.register_module()
class Muon(torch.optim.AdamW):
    """Step along the nearest orthogonal matrix where channels are mixed, and by AdamW elsewhere.

    Square matrices are those that mix: the pointwise kernels (C, C, 1, 1) of an isotropic network
    and square linear layers. ``torch.optim.Muon`` refuses kernels of convolutions, and leaves all
    other parameters to a second optimizer.

    Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate of what is stepped by AdamW.
        matrix_lr: Learning rate of square matrices, as a multiple of ``lr``: a schedule moves both.
        momentum: Of the gradients of square matrices, after Nesterov.
        **kwargs: ``torch.optim.AdamW``'s; ``weight_decay`` counts for all.

    Raises:
        UserError: ``matrix_lr`` is negative, or ``momentum`` is not between 0 and 1.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        matrix_lr: float = 5.0,
        momentum: float = 0.9,
        **kwargs: Any,
    ) -> None:
        if matrix_lr < 0 or not 0 <= momentum < 1:
            raise UserError(
                f'Muon has matrix_lr={matrix_lr} and momentum={momentum}: the one must not be '
                'negative, the other at least 0 and less than 1'
            )
        super().__init__(params, lr=lr, **kwargs)
        # else a loss scaler leaves its scale on the gradients, for the fused step to take off
        self._step_supports_amp_scaling = False
        self.matrix_lr, self.momentum = matrix_lr, momentum

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make one step; what ``closure`` returns is returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        gradients = {}
        for group in self.param_groups:
            for p in group['params']:
                if p.grad is not None and _is_square(p):
                    self._step_matrix(p, p.grad, group)
                    gradients[p], p.grad = p.grad, None
        super().step()
        for p, gradient in gradients.items():
            p.grad = gradient
        return loss

    def _step_matrix(self, p: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            # AdamW asks for a step of all that has a state, when it is loaded
            state['step'], state['momentum_buffer'] = torch.tensor(0.0), torch.zeros_like(p)
        state['step'] += 1
        average = state['momentum_buffer'].mul_(self.momentum).add_(gradient)
        direction = gradient.add(average, alpha=self.momentum)
        rate = group['lr'] * self.matrix_lr
        p.mul_(1 - rate * group['weight_decay'])
        matrix = direction.flatten(1).float()
        p.sub_(rate * orthogonalized(matrix).view_as(p))


def _is_square(p: Tensor) -> bool:
    # depthwise kernels (25, 1, 5, 5) have 25 numbers for each of 25 channels, and mix none
    return p.dim() >= 2 and p.shape[0] == p.shape[1] == p[0].numel() > 1


def orthogonalized(matrix: Tensor) -> Tensor:
    """Return (C, C) with the singular vectors of ``matrix`` and singular values near 1."""
    a, b, c = _QUINTIC
    x = matrix / matrix.norm().clamp(min=1e-7)
    for _ in range(_ROUNDS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x
