"""Time and memory against image area, depth and width."""

import argparse
from pathlib import Path

from sacm_mm.cli.common import positive
from sacm_mm.core.files import check_writable_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument('--arch', default='d256-l8-k5-p5', help='what stays (default: %(default)s)')
    parser.add_argument('--size', type=positive, default=320, help='pixels a side that stay')
    parser.add_argument(
        '--sizes', nargs='+', type=positive, default=[128, 256, 384, 512, 640, 768, 896, 1024]
    )
    parser.add_argument('--depths', nargs='+', type=positive, default=[2, 4, 8, 12, 16])
    parser.add_argument('--widths', nargs='+', type=positive, default=[64, 128, 256, 384, 512])
    parser.add_argument('--batch', type=positive, default=1, help='images a call')
    parser.add_argument('--dtype', default='float32', choices=['float32', 'bfloat16', 'float16'])
    parser.add_argument('--threads', type=positive, help="of the CPU (default: PyTorch's choice)")
    parser.add_argument('--rounds', type=positive, default=5, help='timed calls of each point')
    parser.add_argument('--device', help='torch device (default: cuda:0 where there is one)')
    parser.add_argument(
        '--out', type=Path, default=Path('scaling.csv'), help='CSV; a WebP is written beside it'
    )


def run(args: argparse.Namespace) -> None:
    """Measure, print the lines that fit, and write the CSV and the picture."""
    check_writable_file(args.out, ['.csv'], '--out writes a CSV')

    import torch

    from sacm_mm.benchmark.implementations import Setting
    from sacm_mm.benchmark.scaling import measure_scaling, sweeps
    from sacm_mm.core.files import save_figure, write_csv
    from sacm_mm.core.machine import choose_device
    from sacm_mm.visualization.scaling import draw_scaling

    if args.threads:
        torch.set_num_threads(args.threads)
    device = choose_device(args.device)
    base = Setting(args.arch, 'forward', args.size, args.batch, args.dtype, device)
    rows = []
    for row in measure_scaling(sweeps(base, args.sizes, args.depths, args.widths), args.rounds):
        memory = '' if row['peak_mib'] is None else f'  {row["peak_mib"]:8.1f} MiB'
        print(
            f'{row["sweep"]:6} {row["place"]:8.3f}  {row["kind"]:20} '
            f'{row["ms_per_image"]:9.2f} ms an image{memory}',
            flush=True,
        )
        rows.append(row)
    write_csv(rows, args.out)
    picture = args.out.with_suffix('.webp')
    save_figure(draw_scaling(rows), picture)
    print(args.out)
    print(picture)
