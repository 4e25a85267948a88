"""Masked-image starts: nothing of a masked cell is seen, and the weights go on."""

import pytest
import torch
from mmengine.registry import init_default_scope
from mmpretrain.models.utils.sparse_modules import SparseHelper

from sacm_mm import SAConvMixer, UserError
from sacm_mm.pretraining import SparK, SparseSAConvMixer

ARCH = 'd8-l4-k5-p4-dil12'
BATCH, CELL, SIZE = 3, 8, 32


@pytest.fixture
def visible():
    """A mask of 4 x 4 cells, a different one a picture; about half are visible."""
    return torch.rand(BATCH, 1, 4, 4, generator=torch.Generator().manual_seed(0)) < 0.5


def spark(arch=ARCH, **sizes):
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    return SparK(
        backbone=dict(type='sacm_mm.SparseSAConvMixer', arch=arch),
        neck=dict(type='sacm_mm.PixelShuffleDecoder', feature_dim=8, upscale_factor=4),
        head=dict(
            type='SparKPretrainHead', loss=dict(type='PixelReconstructionLoss', criterion='L2')
        ),
        **{'input_size': SIZE, 'cell_size': CELL, **sizes},
    )


@pytest.mark.parametrize('arch', [ARCH, 'd8-l3-k5-p4-rep', 'd8-l2-k7-p2-dil124'])
@pytest.mark.parametrize('training', [True, False])
def test_masked_pixels_change_nothing_that_is_visible(arch, training, visible):
    torch.manual_seed(0)
    net = SparseSAConvMixer(arch).train(training)
    pictures = torch.rand(BATCH, 3, SIZE, SIZE)
    pixels = visible.repeat_interleave(CELL, 2).repeat_interleave(CELL, 3)
    others = torch.where(pixels, pictures, 1000 * torch.rand_like(pictures))
    SparseHelper._cur_active = visible
    (seen,), (again,) = net(pictures), net(others)
    assert torch.equal(seen, again)
    tokens = torch.nn.functional.interpolate(visible.float(), size=seen.shape[2:]).bool()
    assert seen.masked_select(~tokens).abs().max() == 0
    assert seen.masked_select(tokens).abs().min() > 0
    assert not torch.equal(net(torch.rand_like(pictures))[0], seen)


def test_without_a_mask_it_is_the_dense_network():
    torch.manual_seed(0)
    sparse, dense = SparseSAConvMixer(ARCH), SAConvMixer(ARCH)
    dense.load_state_dict(sparse.state_dict())  # the same names, all of them
    pictures = torch.rand(BATCH, 3, SIZE, SIZE)
    SparseHelper._cur_active = torch.ones(BATCH, 1, 4, 4, dtype=torch.bool)
    torch.testing.assert_close(sparse(pictures), dense(pictures), rtol=1e-4, atol=1e-5)
    for (name, a), b in zip(sparse.state_dict().items(), dense.state_dict().values()):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5, msg=name)


def test_the_reconstruction_does_not_see_what_it_has_to_guess(visible):
    model = spark()
    pictures = torch.rand(BATCH, 3, SIZE, SIZE)
    pixels = visible.repeat_interleave(CELL, 2).repeat_interleave(CELL, 3)
    guess = model.reconstruct(pictures, visible)
    assert guess.shape == pictures.shape
    assert torch.equal(guess, model.reconstruct(torch.where(pixels, pictures, -7), visible))


def test_it_learns_to_guess():
    model = spark()
    pictures = torch.rand(1, 3, 2, 2).repeat(8, 1, 1, 1).repeat_interleave(16, 2)
    pictures = pictures.repeat_interleave(16, 3) + 0.1 * torch.rand(8, 3, SIZE, SIZE)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    losses = []
    for _ in range(20):
        loss = model.loss(pictures, [])['loss']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (dict(cell_size=6), 'multiple of the patch'),
        (dict(input_size=36), 'divide input_size'),
        (dict(arch=f'{ARCH}-se'), 'leave it out'),
    ],
)
def test_what_does_not_fit(change, said):
    with pytest.raises((UserError, TypeError), match=said):
        spark(**change)


def test_other_norms_are_refused():
    with pytest.raises(UserError, match='GroupNorm has no sparse form'):
        SparseSAConvMixer(ARCH, norm_cfg=dict(type='GN', num_groups=2))


@pytest.mark.slow
def test_the_config_trains_and_its_weights_go_on(
    run_tool, camvid_root, depth_root, tmp_path, monkeypatch
):
    for name, root in (('camvid', camvid_root), ('nyu', depth_root)):
        (tmp_path / name).symlink_to(root / name)
    monkeypatch.setenv('SACM_DATA', str(tmp_path))
    arch = 'd16-l2-k3-p5'
    start, work = tmp_path / 'start', tmp_path / 'work'
    options = [
        f'model.backbone.arch={arch}', 'model.neck.feature_dim=16', 'train_cfg.max_epochs=1',
        'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False',
        'input_size=80',
    ]  # fmt: skip
    done = run_tool('train', 'sacm_spark.py', '--work-dir', start, '--cfg-options', *options)
    assert done.code == 0, done.err
    options = [
        f'model.backbone.arch={arch}', 'model.decode_head.in_channels=16',
        'train_cfg.max_iters=1', 'train_cfg.val_interval=1', 'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False',
    ]  # fmt: skip
    done = run_tool('train', 'sacm_camvid_light.py', '--work-dir', work, '--weights', start,
                    '--cfg-options', *options)  # fmt: skip
    assert done.code == 0, done.err
    assert "epoch_1.pth'; decode_head is not among them" in done.out
