"""The package as a distribution: what importing costs, what it declares, what a wheel carries."""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

import sacm_mm

ROOT = Path(__file__).resolve().parents[1]

# Used where they are installed.
OPTIONAL = {'mmdet', 'timm', 'transformers', 'yapf'}
# Modules whose distribution has another name.
DISTRIBUTIONS = {
    'PIL': 'pillow',
    'cv2': 'opencv-python',
    'mmcv': 'onedl-mmcv',
    'mmengine': 'onedl-mmengine',
    'mmpretrain': 'onedl-mmpretrain',
    'mmseg': 'onedl-mmsegmentation',
    'yaml': 'pyyaml',
}


def run(*command: str | Path, cwd: Path) -> str:
    """Return what a command prints that must succeed with no PYTHONPATH."""
    env = {key: value for key, value in os.environ.items() if key != 'PYTHONPATH'}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, text=True, capture_output=True
    )
    assert done.returncode == 0, f'{command}\n{done.stdout}\n{done.stderr}'
    return done.stdout


def imported_modules(path: Path) -> set[str]:
    """Return the top-level modules that a file imports."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            modules.update(alias.name.split('.')[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            modules.add(node.module.split('.')[0])
    return modules


def test_import_is_cheap():
    heavy = ['torch', 'mmengine', 'mmcv', 'mmseg', 'mmpretrain']
    code = f'import sys, sacm_mm; print([name for name in {heavy} if name in sys.modules])'
    assert run(sys.executable, '-c', code, cwd=ROOT).strip() == '[]'


def test_version_is_well_formed():
    assert re.fullmatch(r'\d+\.\d+\.\d+((a|b|rc|\.dev)\d+)?', sacm_mm.__version__)


@pytest.mark.parametrize('name', sacm_mm.__all__)
def test_public_names_resolve(name):
    assert getattr(sacm_mm, name) is not None
    assert name in dir(sacm_mm)


def test_ides_see_the_public_names_where_they_are():
    """The names for type checkers are those that are loaded on first use."""
    tree = ast.parse((ROOT / 'sacm_mm/__init__.py').read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname: node.module for node in block.body for alias in node.names}
    assert seen == sacm_mm._PUBLIC
    assert (ROOT / 'sacm_mm/py.typed').is_file()


def test_the_version_is_the_same_everywhere():
    changelog = (ROOT / 'CHANGELOG.md').read_text()
    assert re.search(
        rf'^## \[{sacm_mm.__version__}\] - \d{{4}}-\d\d-\d\d$', changelog, re.MULTILINE
    )
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    assert citation['version'] == sacm_mm.__version__


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match='no_such_name'):
        _ = sacm_mm.no_such_name


def test_every_import_is_declared():
    files = {
        path
        for folder in ('sacm_mm', 'configs', 'tools')
        for path in ROOT.glob(f'{folder}/**/*.py')
    }
    maintenance = set(ROOT.glob('tools/maintenance/**/*.py'))  # may need what is there for tests
    text = (ROOT / 'requirements.txt').read_text(encoding='utf-8')
    ours = {'sacm_mm', 'sample_data', *(path.stem for path in ROOT.glob('tools/maintenance/*'))}
    for part, known in ((files - maintenance, text.split('# dev')[0]), (maintenance, text)):
        assert part
        used = set().union(*map(imported_modules, part)) - set(sys.stdlib_module_names) - ours
        declared = set(re.findall(r'^([\w-]+)', known, re.MULTILINE))
        assert {DISTRIBUTIONS.get(name, name) for name in used} - OPTIONAL <= declared


def test_every_requirement_is_pinned():
    names = {}
    for file in ('requirements.txt', 'constraints.txt'):
        text = (ROOT / file).read_text(encoding='utf-8')
        names[file] = set(re.findall(r'^([\w.-]+?)(?:[<>=]=?|$)', text.lower(), re.MULTILINE))
    assert names['requirements.txt']
    assert names['requirements.txt'] <= names['constraints.txt']


def test_no_package_named_tests():
    # Two dependencies install a top-level package `tests`; ours would shadow it or be shadowed.
    assert not (ROOT / 'tests/__init__.py').exists()


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """Return the python of an environment with our wheel and the dependencies of this one."""
    folder = tmp_path_factory.mktemp('wheel')
    source = folder / 'source'
    shutil.copytree(
        ROOT,
        source,
        symlinks=True,
        ignore=shutil.ignore_patterns('.*cache', '.git', '.venv', 'build', 'data', 'work_dirs'),
    )
    # The wheel is built from the source distribution, so both are tested.
    run(sys.executable, '-m', 'build', '--no-isolation', '--outdir', folder, source, cwd=folder)

    home = folder / 'env'
    venv.create(home, symlinks=True)
    python = home / 'bin/python'
    (wheel,) = folder.glob('sacm_mm-*.whl')
    pip = (sys.executable, '-m', 'pip', '--python', python)
    run(*pip, 'install', '--no-index', '--no-deps', wheel, cwd=folder)
    paths = sysconfig.get_paths(vars={'base': str(home), 'platbase': str(home)})
    borrowed = Path(find_spec('mmengine').origin).parents[1]
    (Path(paths['purelib']) / 'borrowed.pth').write_text(str(borrowed))
    return python


@pytest.mark.slow
def test_wheel_carries_configs_and_tools(installed, tmp_path):
    code = 'import sacm_mm; print(sacm_mm.__path__[0])'
    package = Path(run(installed, '-c', code, cwd=tmp_path).strip())
    assert package.is_relative_to(installed.parents[1])
    own = [p.relative_to(ROOT / 'sacm_mm') for p in (ROOT / 'sacm_mm').rglob('*') if p.is_file()]
    own = [path for path in own if not {'.mim', '__pycache__'} & {*path.parts}]
    assert {path.suffix for path in own} > {'.py', '.cpp', '.j2', '.typed'}
    assert [path for path in own if not (package / path).is_file()] == []
    for files in (ROOT.glob('configs/**/*.py'), ROOT.glob('tools/*.py')):
        carried = [
            package / '.mim' / path.relative_to(ROOT) for path in files if 'sample' not in path.name
        ]
        assert carried
        assert [path for path in carried if not path.is_file()] == []
    carried = {path.name for path in (package / '.mim/tools').iterdir()}
    assert not carried & {'maintenance', 'sample_data', 'make_sample_data.py'}


@pytest.mark.slow
def test_configs_of_the_wheel_load_from_anywhere(installed, tmp_path):
    code = """
from pathlib import Path
from mmengine import Config
import sacm_mm
configs = sorted(Path(sacm_mm.__path__[0], '.mim/configs').glob('*.py'))
configs = [path for path in configs if not path.stem.endswith('_coco')]  # these need mmdetection
for number, path in enumerate(configs):
    child = Path(f'child{number}.py')
    child.write_text(f'_base_ = {str(path)!r}\\nwork_dir = "elsewhere"\\n')
    config = Config.fromfile(child)
    assert config.work_dir == 'elsewhere' and 'model' in config, path
print(len(configs))
"""
    assert int(run(installed, '-c', code, cwd=tmp_path)) > 0


@pytest.mark.parametrize(
    'line',
    [
        'from sacm_mm.engine import Muon, OneCycleLR, FastTrainingHook, InfiniteSampler',
        'from sacm_mm.datasets import CamVidDataset, AlternatingFlip, dataset_file',
        'from sacm_mm.evaluation import DepthMetric',
        'from sacm_mm.models.backbones import SAConvMixer, sa_convmixer',
        'from sacm_mm.models.heads import PixelShuffleHead',
        'from sacm_mm.models.necks import PixelShufflePyramid',
        'from sacm_mm.models import DepthEstimator, BatchAugment, losses',
        'from sacm_mm.visualization import DepthLocalVisualizer, overlay',
    ],
)
def test_parts_are_imported_from_their_packages_as_those_of_the_hosts(line):
    names = {}
    exec(line, names)
    package = line.split()[1]
    assert all(value.__module__.startswith(package) for value in names.values()
               if isinstance(value, type))  # fmt: skip
    with pytest.raises(ImportError, match='Nothing'):
        exec(f'from {package} import Nothing')
