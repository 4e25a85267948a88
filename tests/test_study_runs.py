"""Real runs of a study: killed, taken up again, reported, and shown in a browser."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest
import torch
from kept_study import write_study

from sacm_mm.core.checkpoints import find_checkpoint
from sacm_mm.core.files import lock_folder, write_json
from sacm_mm.studies.report import write_report
from sacm_mm.studies.runs import all_runs
from sacm_mm.studies.study import choose_networks, load_study
from sacm_mm.studies.training import _environment, train_all

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT / 'tools/study.py'
CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')
FLAGS = (
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--hide-scrollbars',
)  # fmt: skip
# the browser does not go below some 500 pixels of its own accord; a frame does
PROBE = """<!DOCTYPE html><body>
<iframe id="f" src="index.html" width="{width}" height="4000"></iframe>
<script>
f.onload = () => {{
  const d = f.contentDocument, table = d.querySelector('table.sortable');
  const column = i => [...table.tBodies[0].rows].map(r => r.cells[i].dataset.value);
  const before = column(3);
  table.tHead.rows[0].cells[3].querySelector('button').click();
  const up = column(3);
  table.tHead.rows[0].cells[3].querySelector('button').click();
  document.title = 'done';
  const out = document.createElement('pre');
  out.id = 'out';
  out.textContent = JSON.stringify({{
    page: d.documentElement.scrollWidth, width: d.documentElement.clientWidth,
    pictures: [...d.images].map(i => i.complete && i.naturalWidth > 0 && i.clientWidth > 0),
    widest: Math.max(...[...d.querySelectorAll('figure')].map(i => i.clientWidth)),
    text: getComputedStyle(d.querySelector('td')).fontSize,
    before, up, down: column(3),
  }});
  document.body.append(out);
}};
</script></body>"""


def start(*arguments, env):
    command = [sys.executable, TOOL, *map(str, arguments)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True)  # fmt: skip


def figures(table):
    with table.open() as file:
        rows = list(csv.DictReader(file))
    kept = ('network', 'mean', 'spread', 'seeds', 'parameters', 'macs', 'activations')
    return [{key: row[key] for key in kept} for row in rows]


@pytest.mark.slow
def test_killed_in_the_middle_it_ends_with_the_same_table(camvid_root, tmp_path):
    env = {**os.environ, 'SACM_DATA': str(camvid_root), 'OMP_NUM_THREADS': '1'}
    rows = ('--networks', 'conv', 'pixel-unshuffle', '--seeds', 0, '--budget', 'tiny')
    tables = {}
    for name in ('whole', 'killed'):
        runs = tmp_path / name
        arguments = ('run', 'stem_camvid', *rows, '--runs', runs)
        if name == 'killed':
            second = runs / 'stem_camvid/tiny/pixel-unshuffle/seed0/train'
            process = start(*arguments, env=env)
            until = time.monotonic() + 240
            while not (second / 'last_checkpoint').is_file():
                assert process.poll() is None and time.monotonic() < until, process.stdout.read()
                time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
            process.wait()
            first = runs / 'stem_camvid/tiny/conv/seed0/done.json'
            finished = first.stat().st_mtime_ns
            assert not (second.parent / 'done.json').exists()
            resumed = start(*arguments, '--no-costs', env=env)
            out = resumed.communicate(timeout=300)[0]
            assert resumed.returncode == 0, out
            assert 'goes on' in out and first.stat().st_mtime_ns == finished
            assert 'resumed' in (second.parent / 'run.log').read_text().lower()
            assert not (runs / 'stem_camvid/tiny/costs.json').exists()
        process = start(*arguments, env=env)
        out = process.communicate(timeout=300)[0]
        assert process.returncode == 0, out
        report = start('report', 'stem_camvid', '--budget', 'tiny', '--runs', runs, env=env)
        assert report.wait(timeout=120) == 0, report.stdout.read()
        tables[name] = figures(runs / 'stem_camvid/tiny/report/table.csv')
    assert len(tables['whole']) == 2
    assert tables['killed'] == tables['whole']


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    out = tmp_path_factory.mktemp('page')
    values = {'conv': [50.0, 52.0], 'pixel-unshuffle': [53.0], 'conv-glorot': [40.0]}
    write_study(load_study('stem_camvid', 'tiny'), out, values)
    write_report(out)
    return out / 'index.html'


@pytest.mark.skipif(not CHROMIUM, reason='Chromium is not installed')
@pytest.mark.parametrize('width', [360, 1280])
def test_the_page_in_a_browser(page, tmp_path, width):
    probe = page.with_name(f'probe{width}.html')
    probe.write_text(PROBE.format(width=width))
    done = subprocess.run(
        [CHROMIUM, *FLAGS, '--allow-file-access-from-files', f'--user-data-dir={tmp_path}',
         '--window-size=1400,4100', '--virtual-time-budget=5000', '--dump-dom', probe.as_uri()],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    found = re.search(r'<pre id="out">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    seen = json.loads(found.group(1))
    assert seen['page'] <= seen['width'] <= width, 'the page itself scrolls sideways'
    assert len(seen['pictures']) == 6 and all(seen['pictures'])
    assert seen['widest'] <= width
    assert float(seen['text'].removesuffix('px')) >= 14
    numbers = sorted(map(float, seen['before']))
    assert list(map(float, seen['up'])) == numbers
    assert list(map(float, seen['down'])) == numbers[::-1]


def runs_of(root, *networks):
    study = load_study('stem_camvid', 'tiny')
    return all_runs(study, choose_networks(study, networks), [0], root)


def test_a_process_that_waited_for_the_folder_trains_nothing_again(tmp_path):
    runs = runs_of(tmp_path, 'conv', 'pixel-unshuffle')
    started, failed = [], []
    watcher = SimpleNamespace(started=started.append, moved=None, ended=None)
    with lock_folder(runs[0].folder.parents[1]):  # another study process
        thread = Thread(target=lambda: failed.extend(train_all(runs, 1, [], watcher)))
        thread.start()
        time.sleep(1)
        for run in runs:
            assert thread.is_alive() and not run.done
            write_json({}, run.folder / 'done.json')
            assert run.done
    thread.join(30)
    assert not thread.is_alive()
    assert started == failed == []


def test_a_run_has_the_gpu_that_was_named(monkeypatch):
    """`cuda` had none; `cuda:0` of a process that sees GPUs 2 and 3 alone was GPU 0."""
    devices = ['cuda', 'cuda:1', 'cpu']
    for seen, expected in ((None, ['0', '1', '']), ('2,3', ['2', '3', ''])):
        if seen:
            monkeypatch.setenv('CUDA_VISIBLE_DEVICES', seen)
        else:
            monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
        given = [_environment(place, 3, devices)['CUDA_VISIBLE_DEVICES'] for place in range(3)]
        assert given == expected


def test_a_torn_checkpoint_is_passed_over(tmp_path):
    (run,) = runs_of(tmp_path, 'conv')
    assert not run.resumes()
    run.train_dir.mkdir(parents=True)
    torch.save({'state_dict': {'a': torch.ones(9)}}, run.train_dir / 'iter_2.pth')
    whole = (run.train_dir / 'iter_2.pth').read_bytes()
    (run.train_dir / 'iter_4.pth').write_bytes(whole[:-60])
    (run.train_dir / 'last_checkpoint').write_text('')
    assert run.resumes()
    assert find_checkpoint(run.train_dir).endswith('iter_2.pth')
    (run.train_dir / 'iter_2.pth').write_bytes(whole[:-60])
    assert not run.resumes()  # it begins anew
    assert not list(run.train_dir.glob('*.pth'))
