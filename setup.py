"""Packaging of sacm_mm; the build system and the tools' settings are in pyproject.toml."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


def read_version() -> str:
    """Read ``__version__`` without importing the package."""
    text = (ROOT / 'sacm_mm/__init__.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '(.+)'$", text, re.MULTILINE).group(1)


def read_requirements(part: str) -> list[str]:
    """Read the lines of requirements.txt between the heading ``# part`` and the next blank line."""
    text = (ROOT / 'requirements.txt').read_text(encoding='utf-8')
    return re.search(rf'^# {part}\b.*\n((?:.+\n)+)', text, re.MULTILINE).group(1).splitlines()


class BuildWithMim(build_py):
    """Put configs and tools under ``sacm_mm/.mim``, where OpenMMLab packages carry theirs.

    A wheel gets copies; an editable install gets links, so that what was edited is what runs.
    """

    def run(self) -> None:
        """Build the package, then its ``.mim`` folder."""
        super().run()
        base = ROOT if self.editable_mode else Path(self.build_lib)
        mim = base / 'sacm_mm/.mim'
        # What an earlier build left here may be gone from the source.
        shutil.rmtree(mim, ignore_errors=True)
        mim.mkdir(parents=True)
        for name in ('configs', 'tools', 'model-index.yml'):
            source = ROOT / name
            if not source.exists():  # there is no model index before there are published weights
                continue
            if self.editable_mode:
                (mim / name).symlink_to(Path('../..', name))
            elif source.is_dir():
                # for who works on the project itself
                leave = shutil.ignore_patterns('__pycache__', 'maintenance', '*sample_data*')
                shutil.copytree(source, mim / name, ignore=leave)
            else:
                shutil.copy2(source, mim / name)


setup(
    name='sacm_mm',
    version=read_version(),
    description='SA-ConvMixer, a backbone built on pixel shuffling, for the OpenMMLab stack',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author='The sacm_mm authors',
    license='Apache-2.0',
    license_files=['LICENSE'],
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Programming Language :: Python :: 3.14',
        'Topic :: Scientific/Engineering :: Image Recognition',
        'Typing :: Typed',
    ],
    keywords='computer vision, semantic segmentation, image classification, ConvMixer, OpenMMLab',
    packages=find_packages(include=['sacm_mm', 'sacm_mm.*']),
    include_package_data=False,  # configs and tools come through BuildWithMim alone
    package_data={
        'sacm_mm': ['py.typed'],
        'sacm_mm.kernels.cpu': ['csrc/*'],
        'sacm_mm.deploy': ['page_files/*', 'card_files/*'],
        'sacm_mm.evaluation': ['templates/*.j2'],
        'sacm_mm.own_data': ['templates/*.j2'],
        'sacm_mm.studies': ['templates/*'],
    },
    python_requires='>=3.10',
    install_requires=read_requirements('runtime'),
    extras_require={
        **{part: read_requirements(part) for part in ('export', 'int8', 'dev')},
        # not in requirements.txt: it needs mmcv's compiled operators, see docs/swap.md
        'detection': ['onedl-mmdetection>=3.5'],
    },
    entry_points={'console_scripts': ['sacm = sacm_mm.cli.main:entry']},
    cmdclass={'build_py': BuildWithMim},
    zip_safe=False,
)
