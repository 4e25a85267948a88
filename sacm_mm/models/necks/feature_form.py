"""Maps in the form in which a head reads them."""

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor

from sacm_mm.core.errors import UserError
from sacm_mm.registry import MODELS

ELEMENTS = ('map', 'map_and_token', 'tokens', 'channels_first_tokens')


@MODELS.register_module()
class FeatureForm(BaseModule):
    """Hand maps (N, C, h, w) on as some other backbone did; it has no weights.

    Some backbones return further maps in training only (DDRNet, PIDNet), a single tensor, a class
    token beside each map (the vision transformer under DPT), or flattened tokens.

    Args:
        predict: Which maps are handed on in evaluation, in a tuple; one number for a bare tensor;
            None for all.
        train: The same in training.
        element: ``'map'``; ``'map_and_token'``, a list of the map and its mean (N, C), which takes
            the class token's place; ``'tokens'``, (N, h * w, C); or ``'channels_first_tokens'``,
            (N, C, h * w).
        init_cfg: mmengine's.

    Raises:
        UserError: ``element`` is unknown.
    """

    def __init__(
        self,
        predict: int | Sequence[int] | None = None,
        train: int | Sequence[int] | None = None,
        element: str = 'map',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if element not in ELEMENTS:
            raise UserError(f"unknown element '{element}': choose from {', '.join(ELEMENTS)}")
        self.predict_form, self.train_form, self.element = predict, train, element

    def forward(self, inputs: Sequence[Tensor]) -> Any:
        form = self.train_form if self.training else self.predict_form
        if isinstance(form, int):
            return self._element(inputs[form])
        indices = range(len(inputs)) if form is None else form
        return tuple(self._element(inputs[i]) for i in indices)

    def _element(self, x: Tensor) -> Tensor | list[Tensor]:
        if self.element == 'map_and_token':
            return [x, x.mean(dim=(2, 3))]
        if self.element == 'tokens':
            return x.flatten(2).transpose(1, 2)  # (N, C, h, w) -> (N, h * w, C)
        if self.element == 'channels_first_tokens':
            return x.flatten(2)  # (N, C, h, w) -> (N, C, h * w)
        return x
