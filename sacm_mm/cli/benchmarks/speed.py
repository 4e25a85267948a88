"""Time implementations of one network side by side."""

import argparse
from itertools import product
from pathlib import Path

from sacm_mm.cli.common import positive
from sacm_mm.core.files import check_writable_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument(
        'implementation',
        nargs='*',
        default=['plain', 'fast', 'mmpretrain'],
        help='plain, fast, compiled and checkpointed (ours), mmpretrain, timm, onnxruntime and '
        'openvino (with --whole), a file of sacm export, or openvino:FILE.onnx; NAME@bfloat16 for '
        'that one in bfloat16, NAME@int8; the others are compared with the first',
    )
    parser.add_argument(
        '--whole',
        action='store_true',
        help='the whole segmentation network, from picture to logits, not the backbone alone',
    )
    parser.add_argument('--arch', nargs='+', default=['d512-l12-k5-p5'], help='by name')
    parser.add_argument('--mode', nargs='+', default=['forward'], choices=['forward', 'train'])
    parser.add_argument('--size', nargs='+', type=positive, default=[320], help='pixels a side')
    parser.add_argument('--batch', nargs='+', type=positive, default=[1], help='images a call')
    parser.add_argument(
        '--dtype', nargs='+', default=['float32'], choices=['float32', 'bfloat16', 'float16']
    )
    parser.add_argument('--threads', type=positive, help="of the CPU (default: PyTorch's choice)")
    parser.add_argument('--rounds', type=positive, default=20, help='timed calls of each')
    parser.add_argument(
        '--memory',
        action='store_true',
        help='peak memory on a CPU too, of each in a process of its own; on a GPU it always is',
    )
    parser.add_argument(
        '--apart',
        action='store_true',
        help='each in processes of its own, in turn; the only fair way for several runtimes',
    )
    parser.add_argument('--device', help='torch device (default: cuda:0 where there is one)')
    parser.add_argument('--out', type=Path, help='write a CSV with versions and hardware')
    parser.add_argument('--plot', type=Path, help='draw it as bars: PNG or WebP to write')


def run(args: argparse.Namespace) -> None:
    """Measure every combination of the flags, print a line a row and write the CSV."""
    check_writable_file(args.out, ['.csv'], '--out writes a CSV')
    check_writable_file(args.plot, ['.png', '.webp'], '--plot writes a picture')

    import torch

    from sacm_mm.benchmark.implementations import Setting, own_setting
    from sacm_mm.benchmark.speed import describe, measure
    from sacm_mm.core.files import write_csv
    from sacm_mm.core.machine import choose_device

    if args.threads:
        torch.set_num_threads(args.threads)
    device = choose_device(args.device)
    rows = []
    axes = product(args.arch, args.mode, args.size, args.batch, args.dtype)
    settings = [Setting(*axis, device, args.whole) for axis in axes]
    for setting, name in product(settings, args.implementation):
        own_setting(name, setting)  # before time is spent on the first
    for setting in settings:
        for row in measure(args.implementation, setting, args.rounds, args.memory, args.apart):
            print(describe(row), flush=True)
            rows.append(row)
        if args.out:  # what is measured is not lost
            write_csv(rows, args.out)
    if args.plot:
        from sacm_mm.core.files import save_figure
        from sacm_mm.visualization.peers import draw_peers

        save_figure(draw_peers(rows), args.plot)
        print(args.plot)
    if args.out:
        print(args.out)
