"""Figures worked out by hand, and the checkpoint writer."""

import json
import math
import resource
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from torch.utils.data import DataLoader

from sacm_mm import UserError
from sacm_mm.engine.checkpoint import AtomicLocalBackend
from sacm_mm.engine.keep_samples import KeepSamplesHook
from sacm_mm.evaluation.per_image_iou import PerImageIoUMetric
from sacm_mm.studies.samples import _draw, _Samples
from sacm_mm.visualization.depth_visualizer import DepthLocalVisualizer

VOID = 255


def sample(truth, pred, img_shape=None):
    """What a segmentor hands to a metric, from rows of labels."""
    truth, pred = torch.tensor(truth), torch.tensor(pred)
    logits = torch.nn.functional.one_hot(pred, 3).permute(2, 0, 1).float()  # (H, W, 3) -> (3, H, W)
    return {
        'img_shape': img_shape or tuple(truth.shape),
        'gt_sem_seg': {'data': truth[None]},
        'pred_sem_seg': {'data': pred[None]},
        'seg_logits': {'data': logits},
    }


def score(*samples):
    metric = PerImageIoUMetric()
    metric.dataset_meta = {'classes': ('a', 'b', 'c')}
    metric.process({}, samples)
    return metric.evaluate(len(samples))


# a: 1 of 2 pixels, b: 1 of 2, c: predicted on void only, so it does not occur -> 50 %
HALF = ([[0, 0], [1, VOID]], [[0, 1], [1, 2]])
# c: 4 of 4 -> 100 %
FULL = ([[2, 2], [2, 2]], [[2, 2], [2, 2]])
# c: 3 of 4; a: predicted only, 0 of 1 -> 37.5 %
FALSE_ALARM = ([[2, 2], [2, 2]], [[2, 2], [2, 0]])


@pytest.mark.parametrize(
    ('images', 'expected'),
    [([HALF], 50.0), ([FALSE_ALARM], 37.5), ([HALF, FULL], 75.0), ([HALF, FALSE_ALARM], 43.75)],
)
def test_the_authors_miou_is_the_mean_over_images(images, expected):
    assert score(*[sample(*image) for image in images]) == {'authors/mIoU_per_image': expected}


def test_an_image_with_only_void_does_not_count():
    empty = sample([[VOID, VOID]], [[0, 1]])
    assert score(sample(*HALF), empty) == {'authors/mIoU_per_image': 50.0}
    assert math.isnan(score(empty)['authors/mIoU_per_image'])


def test_the_authors_miou_is_taken_at_the_size_of_the_network():
    truth, pred = (torch.tensor(x).repeat_interleave(2, 0).repeat_interleave(2, 1) for x in HALF)
    pred[1, 1] = 0  # no change
    truth[1, 1] = 2  # a pixel that the smaller size leaves out
    assert score(sample(truth.tolist(), pred.tolist(), (2, 2))) == {'authors/mIoU_per_image': 50.0}
    at_full_size = score(sample(truth.tolist(), pred.tolist()))
    assert at_full_size['authors/mIoU_per_image'] < 40


def test_a_thresholded_logit_is_scored_by_its_prediction():
    binary = sample([[0, 1], [1, 1]], [[0, 1], [1, 0]])  # a: 1 of 2, b: 2 of 3
    binary['seg_logits'] = {'data': torch.zeros(1, 2, 2)}
    assert score(binary) == {'authors/mIoU_per_image': 58.33}


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / 'iter_1.pth'
    AtomicLocalBackend().put(b'first', path)

    # a real failure in the middle of a file: what is beyond the limit is not written
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4, hard))
    try:
        with pytest.raises(UserError, match=r'cannot write .*iter_1.pth.*File too large'):
            AtomicLocalBackend().put(b'second', path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {'iter_1.pth': b'first'}


def test_samples_of_depth_are_drawn_in_the_range_of_their_pictures(tmp_path):
    """Streets of 80 metres were drawn in the colours of a room: all beyond 10 m was one."""
    hook = KeepSamplesHook(1)
    for kind in ('image', 'gt_depth', 'pred_depth'):
        image = np.full((4, 6, 3) if kind == 'image' else (4, 6), 40, np.uint8)
        hook._add(kind, image if kind == 'image' else image.astype(np.uint16) * 100, (4, 6))
    hook._kept.append({'source': 'a.png', 'size': [4, 6]})
    dataset = SimpleNamespace(metainfo={})
    visualizer = DepthLocalVisualizer(max_depth=80.0)
    runner = SimpleNamespace(
        work_dir=tmp_path, visualizer=visualizer, test_dataloader=SimpleNamespace(dataset=dataset)
    )
    hook.after_test(runner)
    about = json.loads((tmp_path / 'samples/samples.json').read_text())
    for style, far in ((about.pop('depth_style'), 80), ({}, 10)):  # older records have none
        kept = _Samples('ours', tmp_path / 'samples', {**about, 'depth_style': style})
        truth, found = (axes.images[0] for axes in _draw([kept]).axes[1:3])
        assert truth.get_clim() == found.get_clim() == (0, far)
        assert truth.get_array().max() == pytest.approx(40)


def test_samples_are_chosen_of_what_the_first_process_tests(monkeypatch):
    """Of two processes it has every second picture."""
    monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda: (0, 2))
    pictures = list(range(8))
    loader = DataLoader(pictures, sampler=DefaultSampler(pictures, shuffle=False))
    hook = KeepSamplesHook(3)
    hook.before_test(SimpleNamespace(test_dataloader=loader))
    assert hook._chosen == {1, 2, 3}
