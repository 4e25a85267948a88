"""Take back what class weights did to the logits."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.hooks import EMAHook, Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import Tensor, nn

from sacm_mm.core.errors import UserError
from sacm_mm.engine.unwrapped import unwrapped
from sacm_mm.registry import HOOKS


@HOOKS.register_module()
class ReweighClassesHook(Hook):
    """Lessen the class weights of a segmentation head when its training ends.

    Under a cross entropy with the weights w a network learns the probabilities p up to w: its
    logits are log(w p). Rare classes with large weights are then found where they are not, too,
    which the IoU counts. After the last step the biases are lowered by ``share * log(w)``, before
    the last validation and checkpoint.

    Source: logit adjustment, Menon et al., "Long-tail learning via logit adjustment", ICLR 2021.

    Args:
        class_weight: Those of the config's loss.
        share: Of their logarithms, from 0 (leaves all as it is) to 1 (as if there were none).

    Raises:
        UserError: These are no weights, or not those of the head's loss, or the head has another
            number of classes.
    """

    priority = 'LOW'  # after what averages the weights, before what saves them

    def __init__(self, class_weight: Sequence[float], share: float = 0.75) -> None:
        if min(class_weight, default=0) <= 0 or not 0 <= share <= 1:
            raise UserError(
                'ReweighClassesHook: class_weight is one positive number for each class, and '
                'share is from 0 to 1'
            )
        self.class_weight = list(class_weight)
        self.shift = -share * torch.tensor(class_weight).log()

    def before_train(self, runner: Runner) -> None:
        """Look whether the weights fit, before time is spent."""
        _classifier(runner.model, len(self.shift))
        losses = _losses(runner.model)
        trained_with = [list(getattr(loss, 'class_weight', None) or ()) for loss in losses]
        if self.class_weight not in trained_with:
            raise UserError(
                'ReweighClassesHook takes back the weights of decode_head.loss_decode: give it '
                f"that loss's class_weight, not {self.class_weight}"
            )

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Lower the biases after the last step."""
        if not self.is_last_train_iter(runner):
            return
        averaged = [hook.ema_model.module for hook in runner.hooks if isinstance(hook, EMAHook)]
        for model in (runner.model, *averaged):
            lower_biases(_classifier(model, len(self.shift)), self.shift)
        print_log('The biases are those of the lessened class weights', logger='current')


def lower_biases(classifier: Any, shift: Tensor) -> None:
    """Add ``shift`` (num_classes,) to the biases; a pixel shuffle has several for each class."""
    bias = classifier.bias.data
    bias += shift.repeat_interleave(len(bias) // len(shift)).to(bias)


def _head(model: Any) -> Any:
    return getattr(unwrapped(model), 'decode_head', None)


def _losses(model: Any) -> list[Any]:
    losses = _head(model).loss_decode
    return list(losses) if isinstance(losses, nn.ModuleList) else [losses]


def _classifier(model: Any, classes: int) -> Any:
    head = _head(model)
    classifier = getattr(head, 'conv_seg', None)
    if len(getattr(head, 'act_norm', ())):
        raise UserError(
            'ReweighClassesHook lowers the biases of the classifier, but this decode_head has a '
            'norm after it: set act_norm=False or take the hook out'
        )
    if getattr(classifier, 'bias', None) is None or head.out_channels != classes:
        raise UserError(
            f'ReweighClassesHook has weights for {classes} classes, but the decode_head predicts '
            f'{getattr(head, "out_channels", "none")}'
        )
    return classifier
