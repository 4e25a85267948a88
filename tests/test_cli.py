"""``sacm`` and ``python -m sacm_mm``: verbs, help, exit codes."""

import subprocess
import sys
from importlib import import_module

import pytest
from conftest import TOOLS

from sacm_mm.cli import main

HEAVY = ('torch', 'numpy', 'cv2', 'mmengine', 'mmcv', 'matplotlib', 'rich')


@pytest.mark.parametrize('arguments', [['--help'], ['train', '--help'], ['benchmark', '--help']])
def test_help_imports_nothing_heavy(arguments):
    code = (
        'import sys; from sacm_mm.cli.main import main; code = main(sys.argv[1:]); '
        f'sys.exit(code or [m for m in {HEAVY} if m in sys.modules] or 0)'
    )
    done = subprocess.run([sys.executable, '-c', code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 'usage: sacm' in done.stdout


@pytest.mark.parametrize(
    ('arguments', 'answer'),
    [
        (['train', 'sacm_camvid_lihgt.py'], 'did you mean sacm_camvid_light.py'),
        (['test', 'nowhere.py'], "config 'nowhere.py' does not exist"),
        (['data', 'folder', 'nowhere', 'masks', '--out', 'x'], "'nowhere' does not exist"),
        (['check', 'nowhere'], 'is no data set'),
    ],
)
def test_mistyped_names_are_answered_before_the_hosts_are_loaded(arguments, answer, tmp_path):
    code = (
        'import sys; from sacm_mm.cli.main import main; code = main(sys.argv[1:]); '
        "sys.exit([m for m in ('torch', 'mmseg') if m in sys.modules] or code)"
    )
    command = [sys.executable, '-c', code, *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count('\n')) == (2, 1), done.stderr
    assert answer in done.stderr


def test_help_names_every_verb(capsys):
    assert main.main(['--help']) == 0
    out = capsys.readouterr().out
    for verb in main.VERBS:
        assert f'\n    {verb}' in out
        assert import_module(f'sacm_mm.cli.{verb}').HELP.split()[0] in out


def test_python_m_runs_the_same(tmp_path):
    done = subprocess.run(
        [sys.executable, '-m', 'sacm_mm', 'plot', 'nowhere', '--out', 'c.png'],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith('error: ')
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize('arguments', [['no_such_verb'], ['train'], ['train', 'a.py', '--colour']])
def test_mistakes_in_flags(arguments, capsys):
    assert main.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('error: ') and line.endswith(' --help)')


def test_scripts_are_verbs():
    verbs = {
        'train',
        'test',
        'demo',
        'export',
        'convert_weights',
        'swap_backbone',
        'plot_logs',
        'study',
    }
    for name in verbs:
        lines = (TOOLS / f'{name}.py').read_text(encoding='utf-8').splitlines()
        assert lines[-1].startswith("    tool('")
        assert len(lines) < 10


@pytest.mark.parametrize('shell', ['bash', 'zsh'])
def test_tab_completion(shell, capsys):
    assert main.main(['completion', shell]) == 0
    out = capsys.readouterr().out
    for verb in main.VERBS:
        assert verb in out
    assert '--cfg-options' in out
