"""The model inside of what distributed training and test-time augmentation put around it."""

from typing import Any

from mmengine.model import BaseTTAModel, is_model_wrapper


def unwrapped(model: Any) -> Any:
    """Return a model without the wrappers around it; one that has none as it is."""
    while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    return model
