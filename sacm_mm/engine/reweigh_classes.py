"""Go on with other class weights than a network was trained with."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from sacm_mm.core.errors import UserError
from sacm_mm.registry import HOOKS


@HOOKS.register_module()
class ReweighClassesHook(Hook):
    """Shift the classifier's biases to what other class weights would have made of them.

    Under a cross entropy with the weights w a network learns the probabilities p up to w: its
    logits are log(w p). Rare classes with large weights are then found where they are not, which
    the IoU counts and the loss does not. Before the first step the biases become those of the
    weights v: + log(v / w).

    Source: logit adjustment, Menon et al., "Long-tail learning via logit adjustment", 2021.

    Args:
        before: The weights that the network was trained with.
        after: The weights that it goes on with, those of the config's loss.

    Raises:
        UserError: The head has no such number of classes.
    """

    def __init__(self, before: Sequence[float], after: Sequence[float]) -> None:
        if len(before) != len(after) or min(*before, *after) <= 0:
            raise UserError(
                'ReweighClassesHook: before and after are one positive weight for each class'
            )
        self.shift = torch.tensor(after).log() - torch.tensor(before).log()

    def before_train(self, runner: Runner) -> None:
        """Shift the biases, unless the run goes on."""
        if runner.iter:
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        head: Any = getattr(model, 'decode_head', None)
        classifier = getattr(head, 'conv_seg', None)
        if classifier is None or head.num_classes != len(self.shift):
            raise UserError(
                f'ReweighClassesHook has weights for {len(self.shift)} classes, but the '
                f'decode_head has {getattr(head, "num_classes", "none")}'
            )
        bias = classifier.bias.data  # a pixel shuffle has several outputs for each class
        bias += self.shift.repeat_interleave(len(bias) // len(self.shift)).to(bias)
        print_log('The biases start as those of the new class weights', logger='current')
