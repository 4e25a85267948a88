"""Measure what a masked-image start gains, and write ``table.csv`` beside this file.

    SACM_DATA=data python results/spark/measure.py WORK_DIRS

Each training is tested once, on the test set, and recorded in ``runs/``. It goes on where it ended,
and two of these commands may share the work.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import mean

from sacm_mm.core.errors import UserError
from sacm_mm.core.files import lock_folder, publish_folder, write_csv
from sacm_mm.core.run_log import newest_log, read_scalars
from sacm_mm.core.run_record import write_record

HERE = Path(__file__).resolve().parent
ARCH = 'd128-l8-k5-p5-dil1248'
EPOCHS = 4  # of SparK
STEPS = 200  # of each other training, but for those that also get SparK's time
SEEDS = (0, 1)
SPARK = [f'model.backbone.arch={ARCH}', 'model.neck.feature_dim=128', 'input_size=240',
         f'train_cfg.max_epochs={EPOCHS}']  # fmt: skip
CONFIGS = {'camvid': 'sacm_camvid_small.py', 'nyu': 'sacm_nyu_light.py'}
PICTURES = {'camvid': 367, 'nyu': 795}
FIGURES = {'camvid': 'mIoU', 'nyu': 'nyu_eigen/abs_rel'}
OPTIONS = {
    'camvid': ['crop_size=(240,240)'],
    'nyu': [f'model.backbone.arch={ARCH}', 'model.backbone.out_indices=(1,3,5,7)',
            'model.decode_head.in_channels=[128,128,128,128]',
            'model.decode_head.in_index=[0,1,2,3]', 'model.decode_head.upscale_factor=5'],
}  # fmt: skip
# nothing is chosen by validating
COMMON = ['train_dataloader.batch_size=4', 'train_dataloader.num_workers=1',
          'test_dataloader.num_workers=1', 'train_cfg.val_begin=1000000']  # fmt: skip


def main() -> None:
    """Pretrain, then train and test each cell of the table."""
    work = Path(sys.argv[1])
    spark = work / 'spark'
    if not (spark / f'epoch_{EPOCHS}.pth').exists():
        sacm('train', 'sacm_spark.py', '--fast', '--work-dir', spark, '--cfg-options', *SPARK)
    if not (HERE / 'runs/spark').exists():
        record('spark', 'sacm_spark.py', spark, {})
    for task, share, start, seed in cells():
        steps = STEPS
        if start == 'longer':
            scratch = work / name_of(task, share, 'scratch', seed)
            steps += round(STEPS * seconds_of(spark) / seconds_of(scratch))
        folder = work / name_of(task, share, start, seed)
        if (HERE / 'runs' / folder.name).exists():
            continue
        # each seed has pictures of its own, spread over the drives and the rooms
        chosen = range(PICTURES[task])[seed % (100 // share) :: 100 // share]
        options = [f'randomness.seed={seed}', f'train_cfg.max_iters={steps}',
                   f'train_cfg.val_interval={steps}', f'default_hooks.checkpoint.interval={STEPS}',
                   f'train_dataloader.dataset.indices={list(chosen)}'.replace(' ', '')]  # fmt: skip
        with ExitStack() as held:
            try:
                held.enter_context(lock_folder(folder))
            except UserError:  # another of these commands works there
                continue
            train(task, folder, options, ['--weights', spark] if start == 'spark' else [])
    write_csv(list(rows()), HERE / 'table.csv')


def cells() -> Iterator[tuple[str, int, str, int]]:
    """List tasks, percentages of the labels, starts and seeds, the telling ones first."""
    for shares, starts in (((10,), ('scratch', 'spark')), ((100, 25), ('scratch', 'spark')),
                           ((10, 100, 25), ('longer',))):  # fmt: skip
        for share in shares:
            for seed in SEEDS:
                for task in CONFIGS:
                    for start in starts:
                        yield task, share, start, seed


def name_of(task: str, share: int, start: str, seed: int) -> str:
    """Name a run."""
    return f'{task}_{share}_{start}_seed{seed}'


def seconds_of(work: Path) -> float:
    """Return how long a training takes alone: its fastest steps, and as many as it has."""
    log = newest_log(work if work.name == 'spark' else work / 'train')
    points = read_scalars(log.parent)['time'].points
    return min(points.values()) * max(points)


def train(task: str, work: Path, options: list[str], start: list) -> None:
    """Train and test one cell, and record it."""
    config, folder, test = CONFIGS[task], work / 'train', work / 'test'
    options = ['--cfg-options', *COMMON, *OPTIONS[task], *options]
    if list(folder.glob('iter_*.pth')):
        start = ['--resume']
    sacm('train', config, '--fast', '--work-dir', folder, *start, *options)
    sacm('test', folder, '--work-dir', test)
    record(work.name, config, folder, {'whole': test})


def record(name: str, config: str, work: Path, tests: dict) -> None:
    """Keep what a training and its test said."""
    (HERE / 'runs').mkdir(exist_ok=True)
    command = 'python results/spark/measure.py work_dirs/spark'
    with publish_folder(HERE / 'runs' / name) as out:
        write_record(out, config, work, tests, [command], compact=True)


def rows() -> Iterator[dict]:
    """Gather the runs: a row for each task, share of the labels and start."""
    groups: dict[tuple[str, int, str], list[dict]] = {}
    for task, share, start, seed in cells():
        result = HERE / 'runs' / name_of(task, share, start, seed) / 'result.json'
        if result.exists():
            groups.setdefault((task, share, start), []).append(json.loads(result.read_text()))
    for (task, share, start), results in sorted(groups.items()):
        values = [result['test']['whole']['figures'][FIGURES[task]] for result in results]
        yield {
            'task': task,
            'labels_percent': share,
            'start': start,
            'metric': FIGURES[task],
            'figure': round(mean(values), 4),
            'spread': round(max(values) - min(values), 4),
            'seeds': len(values),
            'training_s': round(mean(result['train']['seconds'] for result in results)),
        }


def sacm(*arguments: object) -> None:
    """Run a command of this project."""
    command = [sys.executable, '-W', 'ignore', '-m', 'sacm_mm', *map(str, arguments)]
    subprocess.run(command, check=True, cwd=HERE.parents[1])


if __name__ == '__main__':
    main()
