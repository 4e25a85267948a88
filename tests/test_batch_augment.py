"""Data in memory, augmented batch by batch."""

import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample
from torch.utils.data import DataLoader

from sacm_mm import UserError
from sacm_mm.apis.train import train
from sacm_mm.core.configs import load_config
from sacm_mm.datasets.in_memory import InMemoryDataset
from sacm_mm.models.batch_augment import BatchAugment
from sacm_mm.models.cls_data_preprocessor import ClsDataPreprocessor
from sacm_mm.models.data_preprocessor import SegDataPreProcessor

LOADED = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
FILL = torch.tensor([120.0, 110, 100]).view(-1, 1, 1)


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmseg')
    torch.manual_seed(0)


def _samples(n, h, w, depth=True):
    samples = []
    for _ in range(n):
        sample = SegDataSample()
        sample.gt_sem_seg = PixelData(data=torch.randint(0, 11, (1, h, w), dtype=torch.uint8))
        if depth:
            sample.gt_depth_map = PixelData(data=torch.rand(1, h, w) * 9 + 1)
        samples.append(sample)
    return samples


def _pictures(samples):
    """Paint the labels, so that what is shown tells what it must be called."""
    labels = torch.stack([sample.gt_sem_seg.data for sample in samples])
    return (labels * 20 + 10).to(torch.uint8).expand(-1, 3, -1, -1).contiguous()


def _still(**kwargs):
    return BatchAugment(**{'crop_size': (24, 32), 'flip': 0.0, 'colour': 0.0, **kwargs})


def test_where_nothing_is_asked_for_nothing_changes():
    samples = _samples(3, 24, 32)
    pictures, depths = _pictures(samples), [s.gt_depth_map.data for s in samples]
    labels = [s.gt_sem_seg.data.long() for s in samples]
    out = _still()(pictures, samples, FILL)
    torch.testing.assert_close(out, pictures.float(), rtol=0, atol=1e-3)
    for sample, label, depth in zip(samples, labels, depths):
        assert torch.equal(sample.gt_sem_seg.data, label)
        assert torch.equal(sample.gt_depth_map.data, depth)


def test_mirrored_pictures_have_mirrored_truth():
    samples = _samples(2, 24, 32)
    pictures, depth = _pictures(samples), samples[1].gt_depth_map.data
    out = _still(flip=1.0)(pictures, samples, FILL)
    torch.testing.assert_close(out, pictures.float().flip(3), rtol=0, atol=1e-3)
    assert torch.equal(samples[1].gt_depth_map.data, depth.flip(2))


@pytest.mark.parametrize('size', [(24, 32), (16, 16), (40, 60)])
def test_truth_follows_the_picture(size):
    """Large areas, so that most pixels are not mixed of two by the interpolation."""
    samples = _samples(8, 24, 32)
    for sample in samples:
        sample.gt_sem_seg.data = (
            torch.randint(0, 11, (1, 3, 4)).repeat_interleave(8, 1).repeat_interleave(8, 2)
        )
    pictures = _pictures(samples)
    augment = _still(crop_size=size, zoom=(0.7, 2.0), stretch=1.3, degree=20.0, flip=0.5)
    out = augment(pictures, samples, FILL)
    labels = torch.stack([s.gt_sem_seg.data for s in samples])
    depth = torch.stack([s.gt_depth_map.data for s in samples])
    assert out.shape == (8, 3, *size) and labels.dtype == torch.int64
    outside = labels == 255
    assert torch.equal(depth == 0, outside)
    shown = out[:, :1]
    away = outside & ((shown - FILL[0]).abs() < 1)
    assert away.sum() > 0.7 * outside.sum() - 50  # along the border both are mixed
    called = (labels * 20.0 + 10 - shown).abs() < 1
    assert called[~outside].float().mean() > 0.6
    assert samples[0].img_shape == size


def test_what_is_zoomed_is_nearer():
    samples = _samples(2, 24, 32)
    for sample in samples:
        sample.gt_depth_map.data[:] = 6.0
    _still(zoom=(2.0, 2.0))(_pictures(samples), samples, FILL)
    torch.testing.assert_close(samples[0].gt_depth_map.data, torch.full((1, 24, 32), 3.0))


def test_pasted_pixels_bring_their_labels():
    samples = _samples(4, 24, 32)
    pictures = _pictures(samples)
    before = torch.stack([s.gt_sem_seg.data for s in samples]).long()
    out = _still(mix=1.0)(pictures, samples, FILL)
    labels = torch.stack([s.gt_sem_seg.data for s in samples])
    torch.testing.assert_close(out[:, :1], labels * 20.0 + 10, rtol=0, atol=1e-3)
    assert ((labels == before) | (labels == before.roll(1, 0))).all()
    assert 0.2 < (labels != before).float().mean() < 0.7


def test_colours_change_and_truth_does_not():
    samples = _samples(16, 24, 32, depth=False)
    pictures = torch.randint(0, 256, (16, 3, 24, 32), dtype=torch.uint8)
    labels = samples[0].gt_sem_seg.data.long()
    with torch.autocast('cpu', torch.bfloat16):  # under which training calls it
        out = _still(colour=1.0, grey=0.5, noise=0.1)(pictures, samples, FILL)
    assert out.dtype == torch.float32 and out.min() >= 0 and out.max() <= 255
    assert (out - pictures).abs().mean() > 10
    assert torch.equal(samples[0].gt_sem_seg.data, labels)


def test_grey_is_the_luma():
    samples = _samples(1, 24, 32)
    pictures = torch.randint(0, 256, (1, 3, 24, 32), dtype=torch.uint8)
    out = _still(grey=1.0)(pictures, samples, FILL)
    luma = (pictures * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1)
    for channel in range(3):
        torch.testing.assert_close(out[:, channel], luma, rtol=0, atol=1e-2)


def test_erased_rectangles_are_of_the_mean_colour():
    samples = _samples(64, 24, 32)
    pictures = _pictures(samples)
    labels = torch.stack([s.gt_sem_seg.data for s in samples]).long()
    out = _still(erase=0.5)(pictures, samples, FILL)
    erased = (out == FILL).all(1)
    torch.testing.assert_close(out[~erased.unsqueeze(1).expand_as(out)],
                               pictures.float()[~erased.unsqueeze(1).expand_as(out)],
                               rtol=0, atol=1e-3)  # fmt: skip
    share = erased.flatten(1).float().mean(1)
    assert 0.3 < (share > 0).float().mean() < 0.7
    assert share[share > 0].min() > 0.01 and share.max() < 0.4
    rows, columns = erased.any(2).sum(1), erased.any(1).sum(1)
    assert torch.equal(erased.flatten(1).sum(1), rows * columns)  # each is one rectangle
    assert torch.equal(torch.stack([s.gt_sem_seg.data for s in samples]), labels)


def test_pictures_with_a_class_are_augmented_as_rgb():
    init_default_scope('mmpretrain')
    augment = dict(type='sacm_mm.BatchAugment', crop_size=(8, 8), flip=1.0, colour=0.0)
    pre = ClsDataPreprocessor(augment, mean=[0, 10, 20], std=[1, 1, 1], to_rgb=True)
    samples = [DataSample().set_gt_label(label) for label in (3, 5)]
    bgr = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    out = pre({'inputs': list(bgr), 'data_samples': samples}, True)
    wanted = bgr.flip(1).flip(3) - torch.tensor([0.0, 10, 20]).view(3, 1, 1)
    torch.testing.assert_close(out['inputs'], wanted, rtol=0, atol=1e-3)
    assert [s.gt_label.item() for s in out['data_samples']] == [3, 5]
    plain = pre({'inputs': bgr, 'data_samples': samples})
    torch.testing.assert_close(plain['inputs'].flip(3), wanted)


def _cifar10(root):
    data = f'{root}/cifar10'
    return load_config('sacm_cifar10_gpu_strong.py', (
        f'data_root={data}', f'train_dataloader.dataset.dataset.data_root={data}',
        'train_dataloader.batch_size=8', 'model.backbone.arch=d8-l1-k3-p4',
        'model.head.in_channels=8',
    ))  # fmt: skip


def test_classes_stay_with_pictures_in_memory(cifar_root):
    init_default_scope('mmpretrain')
    kept = InMemoryDataset(_cifar10(cifar_root).train_dataloader.dataset.dataset)
    for index in (0, 1, 0):
        label = kept[index]['data_samples'].gt_label
        assert torch.equal(label, kept.dataset[index]['data_samples'].gt_label)


def test_what_it_does_not_know_is_refused():
    samples = _samples(2, 24, 32)
    with pytest.raises(UserError, match='8 bits'):
        _still()(_pictures(samples).float(), samples, FILL)
    with pytest.raises(UserError, match='4 channels'):
        _still()(torch.zeros(2, 4, 24, 32, dtype=torch.uint8), samples, FILL)
    samples[0].gt_edge_map = PixelData(data=torch.zeros(1, 24, 32))
    with pytest.raises(UserError, match='gt_edge_map'):
        _still()(_pictures(samples), samples, FILL)


def _camvid(root, pipeline=LOADED):
    return dict(
        type='sacm_mm.CamVidDataset',
        data_root=f'{root}/camvid',
        data_prefix=dict(img_path='train', seg_map_path='trainannot'),
        pipeline=pipeline,
    )


def test_pictures_are_loaded_once_and_stay_as_they_are(camvid_root):
    kept = InMemoryDataset(_camvid(camvid_root))
    loaded = kept.dataset[1]
    first = kept[1]
    first['data_samples'].gt_sem_seg = PixelData(data=torch.zeros(1, 2, 2))
    kept.dataset.pipeline = None
    again = kept[1]
    assert len(kept) == 4 and kept.metainfo['classes'][0] == 'sky'
    assert torch.equal(again['inputs'], loaded['inputs'])
    truth = again['data_samples'].gt_sem_seg.data
    assert torch.equal(truth.long(), loaded['data_samples'].gt_sem_seg.data)
    assert again['data_samples'].img_path == loaded['data_samples'].img_path


def test_a_pipeline_that_draws_is_refused(camvid_root):
    pipeline = [*LOADED[:2], dict(type='RandomFlip', prob=0.5), LOADED[2]]
    with pytest.raises(UserError, match='RandomFlip'):
        InMemoryDataset(_camvid(camvid_root, pipeline))


def test_what_draws_is_found_whatever_its_name(camvid_root):
    pipeline = [*LOADED[:2], dict(type='BioMedicalGaussianNoise', prob=0.0), LOADED[2]]
    with pytest.raises(UserError, match='BioMedicalGaussianNoise'):
        InMemoryDataset(_camvid(camvid_root, pipeline))


def test_loaders_with_workers_are_refused(camvid_root):
    kept = InMemoryDataset(_camvid(camvid_root))
    with pytest.raises(UserError, match='num_workers to 0'):
        next(iter(DataLoader(kept, num_workers=1, collate_fn=list)))


def test_a_hook_that_switches_the_pipeline_is_refused(cifar_root, tmp_path):
    cfg = _cifar10(cifar_root)
    switch = dict(action_epoch=1000, train_pipeline=[dict(type='PackInputs')])
    cfg.custom_hooks.append(dict(type='SwitchRecipeHook', schedule=[switch]))
    with pytest.raises(UserError, match='SwitchRecipeHook, switches the pipeline'):
        train(cfg, work_dir=tmp_path / 'run')
    assert not (tmp_path / 'run').exists()


def test_its_pipeline_cannot_be_switched(camvid_root):
    kept = InMemoryDataset(_camvid(camvid_root))
    with pytest.raises(UserError, match='no hook can switch it'):
        kept.pipeline = kept.pipeline


def test_pictures_of_several_sizes_are_refused():
    pre = SegDataPreProcessor([0.0] * 3, [1.0] * 3, augment=dict(type='sacm_mm.BatchAugment',
                              crop_size=(8, 8)))  # fmt: skip
    pictures = [torch.zeros(3, 8, 8, dtype=torch.uint8), torch.zeros(3, 9, 8, dtype=torch.uint8)]
    with pytest.raises(UserError, match='one size'):
        pre({'inputs': pictures, 'data_samples': _samples(2, 8, 8)}, True)


def _config(root):
    return load_config(
        'sacm_camvid_gpu.py',
        (
            'model.backbone.arch=d8-l2-k5-p4-dil12', 'model.backbone.out_indices=0,1',
            'model.decode_head.in_channels=8,8', 'model.decode_head.in_index=0,1',
            'model.decode_head.upscale_factor=4', 'augment.crop_size=(32, 32)',
            f'data_root={root}/camvid', 'train_dataloader.batch_size=2', 'max_iters=4',
            'model.data_preprocessor.augment.crop_size=(32, 32)',
            f'train_dataloader.dataset.dataset.data_root={root}/camvid',
            'default_hooks.checkpoint.interval=2', 'default_hooks.logger.interval=1',
        ),
    )  # fmt: skip


def test_a_resumed_training_gives_what_a_whole_one_gives(camvid_root, tmp_path):
    whole = train(_config(camvid_root), work_dir=tmp_path / 'whole')
    gone_on = train(
        _config(camvid_root), work_dir=tmp_path / 'rest', resume=tmp_path / 'whole/iter_2.pth'
    )
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, gone_on.model.state_dict()[name]), name
