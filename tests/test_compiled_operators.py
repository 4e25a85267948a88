"""mmcv's compiled operators take maps of any memory format; the real ones where they are built."""

import pytest
import torch
from mmengine.config import Config
from mmengine.utils import import_modules_from_strings

import sacm_mm
from sacm_mm.core.compiled_operators import operators, take_any_format


@take_any_format
def add_one(source, out):
    """Add 1 as compiled code does, which sees memory and no strides."""
    out.as_strided((out.numel(),), (1,)).copy_(source.as_strided((source.numel(),), (1,)) + 1)
    return 'done'


def test_strides_are_kept_for_what_is_read_and_written():
    source = torch.arange(24.0).reshape(1, 2, 3, 4)
    out = torch.zeros(1, 2, 3, 4).contiguous(memory_format=torch.channels_last)
    strided = source.contiguous(memory_format=torch.channels_last).requires_grad_()
    product = strided * strided  # autograd keeps what it needs
    with torch.no_grad():
        assert add_one(strided, out=out) == 'done'
    assert torch.equal(out, source + 1)
    assert not out.is_contiguous()
    product.sum().backward()
    assert torch.equal(strided.grad, 2 * source)


def test_reading_nan_is_no_writing():
    # NaN equals nothing, also not its copy
    strided = torch.full((1, 2, 3, 4), torch.nan).contiguous(memory_format=torch.channels_last)
    product = strided.requires_grad_() * strided
    with torch.no_grad():
        add_one(strided, out=torch.zeros(1, 2, 3, 4))
    product.sum().backward()
    assert strided.grad.isnan().all()


def test_swapped_configs_without_parts_of_ours_import_it():
    head = dict(type='FCNHead', in_channels=512, in_index=0, channels=8, num_classes=5)
    backbone = dict(type='ResNet', depth=18, out_indices=(3,))
    cfg = Config(dict(default_scope='mmseg', model=dict(
        type='EncoderDecoder', backbone=backbone, decode_head=head, test_cfg=dict(mode='whole')
    )))  # fmt: skip
    swapped = sacm_mm.swap_backbone(cfg, 'mmpretrain:resnet/18')
    assert swapped.custom_imports.imports[-1] == 'sacm_mm.core.compiled_operators'


@pytest.mark.skipif(operators is None, reason="needs mmcv's operators")
@pytest.mark.parametrize('name', ['RoIAlign', 'DeformConv2d', 'ModulatedDeformConv2d'])
def test_operators_give_the_same_for_channels_last(name):
    torch.manual_seed(0)
    ops = import_modules_from_strings('mmcv.ops')
    maps, boxes = torch.randn(2, 8, 12, 18), torch.tensor([[0, 2.0, 3, 10, 9], [1, 1, 0, 15, 8]])
    offsets, masks = torch.randn(2, 18, 12, 18), torch.rand(2, 9, 12, 18)
    operator, rest = {
        'RoIAlign': lambda: (ops.RoIAlign(7, 1.0, 2), (boxes,)),
        'DeformConv2d': lambda: (ops.DeformConv2d(8, 8, 3, padding=1), (offsets,)),
        'ModulatedDeformConv2d': lambda: (
            ops.ModulatedDeformConv2d(8, 8, 3, padding=1), (offsets, masks)
        ),
    }[name]()  # fmt: skip
    outputs, gradients = [], []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        given = maps.to(memory_format=memory_format, copy=True).requires_grad_()
        output = operator(given, *rest)
        (output * torch.arange(output.numel()).view_as(output)).sum().backward()
        outputs.append(output.detach())
        gradients.append(given.grad)
    assert torch.equal(*outputs)
    assert torch.equal(*gradients)
