"""Time training steps of stock configs of both hosts, with and without ``--fast``.

    python tools/make_sample_data.py ade20k cityscapes imagenet --out DATA --train 12 --val 2
    SACM_DATA=DATA python results/speed/stock.py results/speed/stock.csv [CONFIG ...]

Each training is a process of its own, plain and fast in turn, twice; the least seconds of a step
count, for on a machine with other work the others say how busy it was.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from mmengine.config import Config

from sacm_mm.core.configs import load_config, write_config
from sacm_mm.core.files import write_csv
from sacm_mm.core.machine import stamp
from sacm_mm.core.run_log import read_scalars

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = (
    'mmseg:fcn/fcn_r50-d8_4xb2-40k_cityscapes-512x1024.py',
    'mmseg:segformer/segformer_mit-b0_8xb2-160k_ade20k-512x512.py',
    'mmseg:bisenetv2/bisenetv2_fcn_4xb4-160k_cityscapes-1024x1024.py',
    'mmseg:convnext/convnext-tiny_upernet_8xb2-amp-160k_ade20k-512x512.py',
    'mmseg:pidnet/pidnet-s_2xb6-120k_1024x1024-cityscapes.py',
    'mmpretrain:resnet/resnet50_8xb32_in1k.py',
    'mmpretrain:mobilenet_v2/mobilenet-v2_8xb32_in1k.py',
    'mmpretrain:convnext/convnext-tiny_32xb128_in1k.py',
    'mmpretrain:swin_transformer/swin-tiny_16xb64_in1k.py',
    'mmpretrain:convmixer/convmixer-768-32_10xb64_in1k.py',
)
SIZES = {'mmseg': 128, 'mmpretrain': 224}  # of the pictures, in pixels
ROUNDS = int(os.environ.get('ROUNDS', 2))
STEPS = 6


def main() -> None:
    """Measure, print a line each and write the CSV."""
    rows = []
    for name in sys.argv[2:] or CONFIGS:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, 'data').symlink_to(Path(os.environ['SACM_DATA']).resolve())
            config = Path(folder, 'config.py')
            write_config(small(load_config(name), SIZES[name.partition(':')[0]]), config)
            seconds: dict[str, list[float]] = {'plain': [], 'fast': []}
            for turn in range(ROUNDS):
                for kind in seconds:
                    work = Path(folder, f'{kind}{turn}')
                    seconds[kind] += steps_of(config, work, ['--fast'] if kind == 'fast' else [])
            taken = (work / 'log.txt').read_text().split('Fast training: ')[1].splitlines()[0]
        least = {f'{kind}_s': round(min(values), 3) for kind, values in seconds.items()}
        speedup = round(least['plain_s'] / least['fast_s'], 2)
        rows.append({'config': name, **least, 'speedup': speedup, 'taken': taken, **stamp()})
        print({key: rows[-1][key] for key in ('config', 'speedup', 'taken')}, flush=True)
        write_csv(rows, Path(sys.argv[1]))  # what is measured is not lost


def small(cfg: Config, size: int) -> Config:
    """Shrink a stock config to a few steps of small pictures, on one process."""
    loader = cfg.train_dataloader
    loader.update(batch_size=4, num_workers=0, persistent_workers=False)
    for step in loader.dataset.pipeline:
        if 'crop_size' in step:
            step.crop_size = (size, size)
        if step.type in ('RandomResize', 'RandomChoiceResize', 'Resize'):
            step.update(type='Resize', scale=(2 * size, size), keep_ratio=True)
            for key in ('ratio_range', 'scales', 'resize_type', 'max_size'):
                step.pop(key, None)
        elif step.type == 'RandomResizedCrop':
            step.scale = size
    preprocessor = cfg.model.get('data_preprocessor') or {}
    if 'size' in preprocessor:
        preprocessor['size'] = (size, size)
    without_weights(cfg.model)
    if cfg.optim_wrapper.get('type') == 'AmpOptimWrapper':  # needs a GPU
        cfg.optim_wrapper.update(type='OptimWrapper')
        cfg.optim_wrapper.pop('loss_scale', None)
    cfg.train_cfg = {'type': 'IterBasedTrainLoop', 'max_iters': STEPS, 'val_interval': STEPS + 1}
    cfg.param_scheduler = []
    for split in ('val', 'test'):
        for part in ('cfg', 'dataloader', 'evaluator'):
            cfg[f'{split}_{part}'] = None
    cfg.default_hooks.logger.interval = 1
    cfg.default_hooks.checkpoint.interval = STEPS + 1
    cfg.default_hooks.checkpoint.save_last = False
    cfg.log_processor = {'by_epoch': False, 'window_size': 1}
    return cfg


def without_weights(part: object) -> None:
    """Take downloads and norms over processes out of a model's config."""
    if isinstance(part, dict):
        part.pop('init_cfg', None)
        part.pop('pretrained', None)
        if part.get('type') == 'SyncBN':
            part['type'] = 'BN'
        part = list(part.values())
    if isinstance(part, list | tuple):
        for value in part:
            without_weights(value)


def steps_of(config: Path, work: Path, flags: list[str]) -> list[float]:
    """Train in a process of its own -> seconds of each step but the first two."""
    command = [sys.executable, '-W', 'ignore', '-m', 'sacm_mm', 'train', config, '--work-dir', work]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}
    done = subprocess.run(
        [*command, *flags], cwd=config.parent, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f'{config}: {done.stderr}')
    logs = next(work.glob('2*'))
    (work / 'log.txt').write_text(next(logs.glob('*.log')).read_text())
    return list(read_scalars(logs)['time'].points.values())[2:]


if __name__ == '__main__':
    main()
