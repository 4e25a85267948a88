"""The swap's command lines and the matrix over stock configs."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import CAMVID, TINY_CAMVID, TOOLS
from mmengine.config import Config
from stock_kinds import Kind, stock_kinds
from swap_matrix import RUNS, Row, check_kind, read_csv, summary, table, write_rows

from sacm_mm import UserError
from sacm_mm.core.configs import read_config

ARCH = 'd8-l2-k3-p4'
NEW = f'sa-convmixer-{ARCH}-conv'
BISENET = Kind(
    'mmseg', 'EncoderDecoder | BiSeNetV2 | - | FCNHead',
    'bisenetv2/bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024.py', 4,
)  # fmt: skip


def test_swap_writes_a_config_and_checks_it(run_tool, tmp_path):
    out = tmp_path / 'new.py'
    done = run_tool('swap_backbone', CAMVID, '--backbone', NEW, '--out', out, '--check',
                    '--cfg-options', *TINY_CAMVID)  # fmt: skip
    assert done.code == 0, done.err
    assert '+ model.backbone' in done.out and 'runs: loss' in done.out.splitlines()[-2]
    assert Config.fromfile(out).model.backbone.embed == 'conv'


def test_list_prints_sizes(run_tool):
    done = run_tool('swap_backbone', '--list', 'convmlp-*')
    small = next(line for line in done.out.splitlines() if line.startswith('convmlp-s'))
    assert small.split() == [
        'convmlp-s',
        '8.51',
        'M',
        '4,',
        '8,',
        '16,',
        '32',
        '64,',
        '128,',
        '256,',
        '512',
    ]
    assert "'nothing'" in run_tool('swap_backbone', '--list', 'nothing').error


def test_train_with_another_backbone(run_tool, data, work):
    done = run_tool('train', CAMVID, '--backbone', NEW, '--work-dir', work, '--cfg-options',
                    *TINY_CAMVID)  # fmt: skip
    assert done.code == 0, done.err
    assert (work / 'iter_4.pth').is_file()
    assert Config.fromfile(work / CAMVID).model.backbone.embed == 'conv'


def test_out_destroys_nothing(run_tool, tmp_path):
    source, network = tmp_path / 'mine.py', tmp_path / 'net.py'
    assert run_tool('swap_backbone', CAMVID, '--backbone', NEW, '--out', source).code == 0
    done = run_tool('swap_backbone', CAMVID, '--backbone', NEW, '--out', tmp_path / 'new.txt')
    assert "new.txt' end in .py" in done.error and not (tmp_path / 'new.txt').exists()
    written = source.read_text()
    source.write_text(f'# my own words\n{written}')
    network.write_text(f'# notes\nbackbone = dict(type="sacm_mm.SAConvMixer", arch="{ARCH}")\n')
    for out in (source, tmp_path / 'sub' / '..' / 'mine.py'):
        done = run_tool('swap_backbone', source, '--backbone', network, '--out', out, '--overwrite')
        assert 'is a source of the swap' in done.error
    done = run_tool('swap_backbone', source, '--backbone', network, '--out', network, '--overwrite')
    assert 'is a source of the swap' in done.error
    done = run_tool('swap_backbone', CAMVID, '--backbone', network, '--out', source)
    assert 'give --overwrite' in done.error
    assert source.read_text() == f'# my own words\n{written}'
    for extra in ('--overwrite',), ():  # the second time it is of the tool itself
        swap = ('swap_backbone', CAMVID, '--backbone', NEW, '--out', source, *extra)
        assert run_tool(*swap).code == 0
    assert source.read_text() == written


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        ('model = dict(', 'does not load'),
        ("custom_imports = dict(imports=['no_such'], allow_failed_imports=False)", 'no_such'),
        ('model = 1 / 0', 'does not load'),
        ('lr = 1', 'no model'),
    ],
)
def test_configs_that_do_not_load_say_so_in_one_line(run_tool, tmp_path, text, says):
    path = tmp_path / 'broken.py'
    path.write_text(text)
    assert (
        says in run_tool('swap_backbone', path, '--backbone', NEW, '--out', tmp_path / 'x.py').error
    )
    assert not (tmp_path / 'x.py').exists()


def test_what_a_custom_import_itself_lacks_is_named(tmp_path, monkeypatch):
    (tmp_path / 'half_installed.py').write_text('import no_such_package.part\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / 'config.py'
    path.write_text("custom_imports = dict(imports=['half_installed'])\n")
    with pytest.raises(UserError, match="half_installed, for 'no_such_package' is absent"):
        read_config(path)


def test_wrong_stock_names_list_near_ones(run_tool, tmp_path):
    done = run_tool('swap_backbone', 'mmseg:fcn/fcn_r18.py', '--backbone', NEW, '--check')
    assert 'mmseg:fcn/fcn_r18' in done.error


def test_one_kind_of_the_matrix():
    row = check_kind(BISENET, [NEW])
    assert (row.stock, row.swapped) == (RUNS, {NEW: RUNS})
    assert not row.missed


def test_matrix_comes_back_from_its_file(tmp_path):
    rows = [
        Row(BISENET, RUNS, {'a': RUNS, 'b': 'refused: no | backbone'}, 1.5),
        Row(Kind('mmpretrain', 'x', 'x.py', 1), 'needs mmdet', {'a': 'y', 'b': 'z'}, 2.0),
    ]
    path = tmp_path / 'matrix.csv'
    write_rows(rows, path)
    again = read_csv(path, ['a', 'b'])
    assert sorted(again, key=str) == sorted(rows, key=str)
    assert table(rows).count('\n') == 4 and 'no / backbone' in table(rows)
    assert '1 kinds, 1 run as they are; of these a in 1, b in 0' in summary(rows)


@pytest.mark.slow
def test_there_are_76_kinds_of_segmentation_configs():
    kinds = stock_kinds('mmseg', processes=2)
    assert len(kinds) >= 76 and sum(kind.configs for kind in kinds) >= 682


@pytest.mark.slow
@pytest.mark.skipif(not find_spec('mmdet'), reason='needs onedl-mmdetection')
def test_detectors_are_told_apart_by_all_their_heads():
    names = {kind.name for kind in stock_kinds('mmdet', processes=2)}
    assert 'RetinaNet | ResNet | FPN | RetinaHead' in names
    assert 'MaskRCNN | ResNet | FPN | RPNHead + StandardRoIHead' in names


@pytest.mark.slow
def test_every_kind_that_runs_also_runs_swapped(tmp_path):
    out = tmp_path / 'matrix.csv'
    command = [sys.executable, TOOLS / 'maintenance/swap_matrix.py', '--out', out]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[1])
    rows = read_csv(out, ['sa-convmixer-d64-l4-k5-p4', 'convmlp-s'])
    missed = [row for row in rows if row.stock == RUNS and row.missed]
    assert not [
        row
        for row in missed
        if not all(v.startswith((RUNS, 'refused')) for v in row.swapped.values())
    ]
