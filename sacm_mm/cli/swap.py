"""``sacm swap``."""

import argparse

from sacm_mm.cli.common import add_options
from sacm_mm.core.errors import UserError, mistakes_named
from sacm_mm.core.files import check_writable_file

HELP = "put another backbone into a config; the hosts' own tools train what is written"
EPILOG = 'example: sacm swap sacm_voc.py --backbone mmpretrain:convnext/tiny --out convnext_voc.py'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument(
        'config',
        nargs='?',
        help='config file, one of ours, or a stock one: mmseg:pspnet/pspnet_r50-d8_....py',
    )
    parser.add_argument(
        '--backbone',
        help='sa-convmixer-d512-l12-k5-p4, convmlp-s, mmpretrain:convnext/tiny, mmseg:mit-b0, '
        'timm:NAME, hf:NAME, torchvision:NAME, a config file, "dict(type=...)", or other code: '
        '"my_net.py:MyNet(dim=64)", package.module:Class, with @LAYER,... for networks that '
        'return logits only',
    )
    parser.add_argument('--out', help='the config to write')
    parser.add_argument(
        '--overwrite', action='store_true', help='replace a file at --out that is not of this tool'
    )
    parser.add_argument(
        '--check',
        action='store_true',
        help='build the new model; run a loss, a backward pass and a prediction on random data',
    )
    parser.add_argument(
        '--list',
        nargs='?',
        const='*',
        metavar='PATTERN',
        help='print the backbones by name, e.g. "mmpretrain:convnext*"',
    )
    add_options(parser)


def run(args: argparse.Namespace) -> None:
    """Swap, or list the backbones."""
    if args.list is not None:
        _print_backbones(args.list)
        return
    if not (args.config and args.backbone and (args.out or args.check)):
        raise UserError('give CONFIG, --backbone and --out or --check, or --list')
    if args.out:
        check_writable_file(args.out)
    _swap(args)


def _swap(args: argparse.Namespace) -> None:
    from sacm_mm.core.configs import load_config

    cfg = load_config(args.config, args.options)

    from sacm_mm import swap

    if args.out:
        swap.check_out(args.out, cfg, args.backbone, args.overwrite)
    with mistakes_named(f"'{args.backbone}' cannot be put into config '{args.config}'"):
        new = swap.swap_backbone(cfg, args.backbone)
        changes = swap.describe_changes(new)
    print('\n'.join(changes) or 'nothing to change: this is its own backbone')
    for note in swap.notes(new.model.backbone):
        print(f'note: {note}')
    if args.check:  # before anything is written
        verdict = swap.check_config(new)
        print(verdict)
        if not verdict.works:
            raise UserError(f'the new model {verdict}')
    if args.out:
        swap.write_config(new, args.out)
        print(f'written: {args.out}')


def _print_backbones(pattern: str) -> None:
    from sacm_mm.swap import list_backbones

    found = False
    for info in list_backbones(pattern):
        if not found:
            print(f'{"name":44} {"parameters":>10}  {"strides":18} channels')
            found = True
        if info.refused:
            print(f'{info.name:44} {"-":>10}  {info.refused}', flush=True)
            continue
        sizes = [', '.join(map(str, numbers)) for numbers in (info.strides, info.channels)]
        print(
            f'{info.name:44} {info.parameters / 1e6:8.2f} M  {sizes[0]:18} {sizes[1]}', flush=True
        )
    if not found:
        raise UserError(f"no backbone is called '{pattern}': --list alone prints all")
