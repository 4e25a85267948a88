import json
import subprocess
from pathlib import Path

import pytest
from conftest import CAMVID

from sacm_mm import UserError
from sacm_mm.core.files import publish_folder
from sacm_mm.core.machine import commit_of
from sacm_mm.core.run_record import _without_places, write_record


def record_result(out, **what):
    with publish_folder(out) as folder:
        write_record(folder, **what)


@pytest.fixture
def tested(trained, test, work, data):
    assert test().code == 0
    return work


def test_a_run_is_recorded_with_what_it_was_made_of(trained, tested, data, tmp_path):
    picture = tmp_path / 'grid.png'
    picture.write_bytes(b'png')
    out = tmp_path / 'results/run'
    arguments = dict(config=CAMVID, train_dir=trained, test_dirs={'whole': tested}, commands=['x'])
    record_result(out, pictures=[picture], keep_weights=True, **arguments)
    result = json.loads((out / 'result.json').read_text())
    assert result['seed'] == 0
    assert result['train']['seconds'] >= 0
    for part in (result['train'], result['test']['whole']):
        assert part['stamp']['cpu'] and part['stamp']['torch'] and part['stamp']['cores'] >= 1
    assert 0 <= result['test']['whole']['figures']['mIoU'] <= 100
    of_classes = result['test']['whole']['classes']['IoU']
    known = [iou for iou in of_classes.values() if iou is not None]
    assert len(of_classes) == 11 and known
    assert sum(known) / len(known) == pytest.approx(
        result['test']['whole']['figures']['mIoU'], abs=0.02
    )
    kept = {path.name for path in out.iterdir()}
    assert kept == {
        *(
            'result.json',
            'train.log',
            'scalars.json',
            'config.py',
            'test_whole.log',
            'grid.png',
            'weights.pth',
        )
    }
    for name in ('train.log', 'test_whole.log', 'config.py'):
        text = (out / name).read_text()
        assert 'data_root' in text
        assert not [d for d in (trained, tested, data) if f'{d.parent}/' in text]
    with pytest.raises(UserError, match='not overwritten'):
        record_result(out, **arguments)


def test_only_whole_paths_lose_their_place():
    text = "data_root='/tmp/data/camvid' /var/tmp/other /tmp/run/iter_4.pth /tmpfs/x"
    places = [Path('/tmp/run'), Path('/tmp/data')]
    kept = "data_root='data/camvid' /var/tmp/other run/iter_4.pth /tmpfs/x"
    assert _without_places(text, places) == kept


def test_nothing_is_left_of_a_record_that_fails(trained, tested, tmp_path):
    arguments = dict(config=CAMVID, commands=['x'])
    out = tmp_path / 'results/run'
    with pytest.raises(UserError, match='no log'):
        record_result(out, train_dir=tmp_path, test_dirs={'whole': tested}, **arguments)
    with pytest.raises(UserError, match='did not end'):
        record_result(out, train_dir=trained, test_dirs={'whole': trained}, **arguments)
    with pytest.raises(FileNotFoundError):
        record_result(
            out,
            train_dir=trained,
            test_dirs={'whole': tested},
            pictures=[tmp_path / 'none.png'],
            **arguments,
        )
    assert not list((tmp_path / 'results').glob('*'))


def test_a_commit_is_named_with_changes_of_the_code_only(tmp_path):
    git = ('git', '-C', str(tmp_path), '-c', 'user.name=n', '-c', 'user.email=e@example.org')
    package, results = tmp_path / 'package', tmp_path / 'results'
    subprocess.run((*git, 'init', '-q'), check=True)
    for folder in (package, results):
        folder.mkdir()
        (folder / 'file').write_text('a')
    subprocess.run((*git, 'add', '.'), check=True)
    subprocess.run((*git, 'commit', '-qm', 'first'), check=True)
    commit = commit_of(package)
    assert len(commit) == 40
    (results / 'file').write_text('b')
    assert commit_of(package) == commit
    (package / 'file').write_text('b')
    assert commit_of(package) == f'{commit}+changes'
