"""Child registries of mmengine's roots, so that ``type='sacm_mm.X'`` builds under every host scope.

Each registry imports its ``locations`` when it is first asked for a name.
"""

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import PARAM_SCHEDULERS as MMENGINE_PARAM_SCHEDULERS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import VISUALIZERS as MMENGINE_VISUALIZERS
from mmengine.registry import Registry


def _child(parent: Registry, location: str) -> Registry:
    return Registry(parent.name, scope='sacm_mm', parent=parent, locations=[location])


MODELS = _child(MMENGINE_MODELS, 'sacm_mm.models')
DATASETS = _child(MMENGINE_DATASETS, 'sacm_mm.datasets')
DATA_SAMPLERS = _child(MMENGINE_DATA_SAMPLERS, 'sacm_mm.engine')
TRANSFORMS = _child(MMENGINE_TRANSFORMS, 'sacm_mm.datasets')
METRICS = _child(MMENGINE_METRICS, 'sacm_mm.evaluation')
HOOKS = _child(MMENGINE_HOOKS, 'sacm_mm.engine')
OPTIM_WRAPPERS = _child(MMENGINE_OPTIM_WRAPPERS, 'sacm_mm.engine')
PARAM_SCHEDULERS = _child(MMENGINE_PARAM_SCHEDULERS, 'sacm_mm.engine')
# a module, for plots of logs do without the hosts
VISUALIZERS = _child(MMENGINE_VISUALIZERS, 'sacm_mm.visualization.depth_visualizer')
