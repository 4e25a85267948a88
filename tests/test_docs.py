"""What README and docs say can be run is run, as it is written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import own_sources
import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
_BLOCK = re.compile(
    r'(?:<!-- run: (?P<how>[^>]*?) -->\n)?^```(?P<language>bash|python)\n(?P<code>.*?)^```',
    re.MULTILINE | re.DOTALL,
)


def blocks():
    """Every block of a shell or of Python; ``<!-- run: slow -->`` before one marks it."""
    for page in PAGES:
        for number, match in enumerate(_BLOCK.finditer(page.read_text(encoding='utf-8')), 1):
            how = match['how'] or ''
            marks = []
            if how.startswith('no,'):
                marks = [pytest.mark.skip(reason=how.removeprefix('no, '))]
            elif how == 'slow' or match['language'] == 'bash':
                marks = [pytest.mark.slow]
            name = f'{page.stem}-{number}'
            yield pytest.param(match['language'], match['code'], marks=marks, id=name)


@pytest.fixture
def folder(tmp_path):
    """A folder of a user: pictures of each kind, and the clone's tools and results beside them."""
    noise = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / 'photo.jpg'), noise)
    for name in ('tools', 'configs', 'results'):
        (tmp_path / name).symlink_to(ROOT / name)
    own_sources.folder_colours(tmp_path)  # photos, masks
    own_sources.coco(tmp_path)  # instances.json of the same photos
    own_sources.labelme(tmp_path)[0].rename(tmp_path / 'annotated')
    own_sources.classes(tmp_path)[0].rename(tmp_path / 'flowers')
    own_sources.depth(tmp_path / 'room')
    own_sources.folder_binary(tmp_path / 'defects')
    own_sources.folder_tiff(tmp_path / 'field', 12, 'float32')
    return tmp_path


@pytest.mark.parametrize(('language', 'code'), blocks())
def test_block(language, code, folder):
    command = ['bash', '-euo', 'pipefail', '-c', code]
    if language == 'python':
        command = [sys.executable, '-c', code]
    environment = {**os.environ, 'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}'}
    environment.pop('SACM_DATA', None)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f'{done.stdout[-2000:]}\n{done.stderr[-3000:]}'


@pytest.mark.slow
def test_the_notebook_runs(tmp_path):
    nbformat, nbclient = pytest.importorskip('nbformat'), pytest.importorskip('nbclient')
    notebook = nbformat.read(ROOT / 'docs/tour.ipynb', as_version=4)
    assert not any(cell.get('outputs') for cell in notebook.cells)
    nbclient.NotebookClient(
        notebook, timeout=1800, resources={'metadata': {'path': str(tmp_path)}}
    ).execute()
    assert 'image/png' in str(notebook.cells[-2].outputs)


def test_the_readme_is_short_and_its_links_lead_somewhere():
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    assert len(text.splitlines()) <= 150
    for page in PAGES:
        for link in re.findall(r'\]\(([^)#:]+?)(?:#[^)]*)?\)', page.read_text(encoding='utf-8')):
            found = page.parent / link.split('{')[0].strip()
            assert found.exists() or (ROOT / link).exists(), f'{page.name}: {link}'


def test_configs_that_are_named_are_there():
    for page in PAGES:
        for name in re.findall(r'\bconfigs/[\w/]+\.py', page.read_text(encoding='utf-8')):
            assert (ROOT / name).is_file(), f'{page.name}: {name}'


def test_the_pages_are_all_in_the_menu():
    menu = (ROOT / 'mkdocs.yml').read_text(encoding='utf-8')
    assert [page.name for page in PAGES[1:] if f': {page.name}' not in menu] == []
