"""Child registries of mmengine's roots, so that ``type='sacm_mm.X'`` builds under every host scope.

Each registry imports its ``locations`` when it is first asked for a name: every module of its
folder, so that a new file is all that a new part needs.
"""

from pathlib import Path

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import OPTIMIZERS as MMENGINE_OPTIMIZERS
from mmengine.registry import PARAM_SCHEDULERS as MMENGINE_PARAM_SCHEDULERS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import VISUALIZERS as MMENGINE_VISUALIZERS
from mmengine.registry import Registry


def _child(parent: Registry, *places: str) -> Registry:
    package = Path(__file__).parent
    files: list[Path] = []
    for place in places:
        path = package / place
        files += [path] if path.suffix else sorted(path.rglob('[!_]*.py'))
    modules = ['.'.join(('sacm_mm', *f.relative_to(package).with_suffix('').parts)) for f in files]
    return Registry(parent.name, scope='sacm_mm', parent=parent, locations=modules)


# an exported file stands in the place of a model
MODELS = _child(MMENGINE_MODELS, 'models', 'deploy/exported_model.py')
DATASETS = _child(MMENGINE_DATASETS, 'datasets')
DATA_SAMPLERS = _child(MMENGINE_DATA_SAMPLERS, 'engine')
TRANSFORMS = _child(MMENGINE_TRANSFORMS, 'datasets')
METRICS = _child(MMENGINE_METRICS, 'evaluation')
HOOKS = _child(MMENGINE_HOOKS, 'engine')
OPTIM_WRAPPERS = _child(MMENGINE_OPTIM_WRAPPERS, 'engine')
OPTIMIZERS = _child(MMENGINE_OPTIMIZERS, 'engine')
PARAM_SCHEDULERS = _child(MMENGINE_PARAM_SCHEDULERS, 'engine')
VISUALIZERS = _child(MMENGINE_VISUALIZERS, 'visualization/depth_visualizer.py')
