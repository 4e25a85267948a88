"""Time ``sacm predict`` on a folder of pictures, plain and fast, and the demo of an earlier commit.

    git worktree add OLD c9cd578
    python results/speed/pictures.py "$SACM_DATA/camvid/test" OLD results/speed/pictures.csv

Each runs in a process of its own, in turn, with one thread. Seconds of the processor are what
counts: on a machine with other work the clock says how busy it was. Start-up is part of them. Then
it compares the classes of fast and plain, and one process measures the share of the network alone
in all that predicting is.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch

import sacm_mm
from sacm_mm.apis.outputs import Wanted
from sacm_mm.apis.predict import predict_files
from sacm_mm.core.files import write_csv
from sacm_mm.core.machine import stamp

RESULT = 'results/camvid_light'
ROOT = Path(__file__).resolve().parents[2]
ROUNDS = int(os.environ.get('ROUNDS', 1))


def main() -> None:
    """Measure, print a line each and write the CSV."""
    pictures, old, out = (Path(argument).resolve() for argument in sys.argv[1:])
    count = len(list(pictures.iterdir()))
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        predict = ['-m', 'sacm_mm', 'predict', pictures, RESULT, '--threads', 1, '--save']
        runs = {
            'fast': (ROOT, [*predict, 'overlay,masks', '--out', folder / 'fast']),
            'exact': (ROOT, [*predict, 'overlay,masks', '--exact', '--out', folder / 'exact']),
            'old demo': (old, ['tools/demo.py', pictures, 'configs/sacm_camvid_light.py',
                               f'{RESULT}/weights.pth', '--out', folder / 'old']),
        }  # fmt: skip
        for _ in range(ROUNDS):
            for kind, (root, arguments) in runs.items():
                cpu, wall = timed(root, arguments)
                rows.append({'run': kind, 'pictures': count, 'cpu_s': cpu, 'wall_s': wall})
                print(rows[-1], flush=True)
        least = {kind: min(r['cpu_s'] for r in rows if r['run'] == kind) for kind in runs}
        equal = equal_pixels(folder / 'fast/masks', folder / 'exact/masks')
        found = {'old_by_fast': least['old demo'] / least['fast'], 'equal_pixels': equal}
        found['network_share'] = network_share(sorted(pictures.iterdir())[::10], folder / 'again')
    print(found)
    write_csv([{**row, **found, **stamp()} for row in rows], out)


def timed(root: Path, arguments: list) -> tuple[float, float]:
    """Run a script of a checkout -> seconds of the processor and of the clock."""
    environment = {**os.environ, 'PYTHONPATH': str(root), 'OMP_NUM_THREADS': '1'}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, '-W', 'ignore', *map(str, arguments)]
    subprocess.run(command, cwd=root, env=environment, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return round(used, 2), round(time.perf_counter() - start, 2)


def equal_pixels(a: Path, b: Path) -> float:
    """Return the share of pixels of one class in two folders of masks."""
    found = [
        (cv2.imread(str(path), 0) == cv2.imread(str(b / path.name), 0)).mean()
        for path in sorted(a.glob('*.png'))
    ]
    return float(np.mean(found))


def network_share(paths: list[Path], out: Path) -> float:
    """Return the processor's seconds of the network alone over those of all that predicting is."""
    torch.set_num_threads(1)
    source = out / 'in'
    source.mkdir(parents=True)
    for path in paths:
        (source / path.name).symlink_to(path)
    model = sacm_mm.load(str(ROOT / RESULT), device='cpu', threads=1)
    prepared = [model.prepare(path) for path in paths]
    shares = []
    for i in range(3):
        start = time.process_time()
        for picture in prepared:
            model.compute([picture], keep_scores=False)
        alone = time.process_time() - start
        start = time.process_time()
        predict_files(model, source, out / str(i), Wanted(batch=1))
        shares.append(alone / (time.process_time() - start))
    return round(float(np.median(shares)), 4)


if __name__ == '__main__':
    main()
