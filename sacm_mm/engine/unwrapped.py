"""The model inside of what distributed training puts around it."""

from typing import Any

from mmengine.model import is_model_wrapper


def unwrapped(model: Any) -> Any:
    """Return a model without the wrapper of several processes; one that has none as it is."""
    return model.module if is_model_wrapper(model) else model
