"""Depth figures against hand-computed values, an independent numpy version and real NYUv2."""

import math
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.logging import MMLogger
from mmseg.registry import METRICS

from sacm_mm import DepthMetric, UserError
from sacm_mm.evaluation.depth_metric import FIGURES, PROTOCOLS

DATA = Path(os.environ.get('SACM_DATA', 'data'))


def sample(pred, truth):
    pred, truth = (torch.as_tensor(x)[None] for x in (pred, truth))
    return {'pred_depth_map': {'data': pred}, 'gt_depth_map': {'data': truth}}


def score(pairs, protocol, **kwargs):
    metric = DepthMetric(protocol, **kwargs)
    for pair in pairs:
        metric.process({}, [sample(*pair)])
    results = metric.evaluate(len(pairs))
    assert all(key.startswith(f'{metric.prefix}/') for key in results)
    return {key.split('/')[1]: value for key, value in results.items()}


def in_numpy(pairs, crop, limit, clamp=True, median_scaling=False):
    """The figures once more: pixel by pixel lists, nothing shared with the package."""
    rows = []
    for pred, truth in pairs:
        h, w = truth.shape
        top, bottom, left, right = crop(h, w)
        inside = np.zeros((h, w), bool)
        inside[top:bottom, left:right] = True
        with np.errstate(invalid='ignore'):
            mask = inside & (truth > 1e-3) & (truth < limit) & (truth < np.inf)
        if mask.sum() == 0:
            continue
        p, t = np.float64(pred[mask]), np.float64(truth[mask])
        if median_scaling:
            p = p * np.median(t) / np.median(p)
        if clamp:
            p = np.minimum(np.maximum(p, 1e-3), limit)
        log_p, log_t = np.log(p), np.log(t)
        worst = np.maximum(p / t, t / p)
        rows.append([
            np.mean(np.abs(p - t) / t),
            np.mean((p - t) ** 2 / t),
            np.sqrt(np.mean((p - t) ** 2)),
            np.sqrt(np.mean((log_p - log_t) ** 2)),
            np.mean(np.abs(np.log10(p) - np.log10(t))),
            100 * np.sqrt(np.mean((log_p - log_t) ** 2) - np.mean(log_p - log_t) ** 2),
            *[np.count_nonzero(worst < 1.25**n) / len(t) for n in (1, 2, 3)],
        ])  # fmt: skip
    return dict(zip(FIGURES, np.mean(rows, axis=0)))


def maps(size, far, count=3):
    """Random pairs of (prediction, truth); the truth has holes of every kind."""
    rng = np.random.default_rng(0)
    pairs = []
    for _ in range(count):
        truth = np.exp(rng.uniform(math.log(0.5), math.log(far), size))
        pred = truth * np.exp(rng.normal(0, 0.4, size))
        truth[rng.random(size) < 0.2] = 0
        for hole in (np.nan, np.inf, -1.0, 1e-4):
            truth[rng.random(size) < 0.05] = hole
        pairs.append((np.float32(pred), np.float32(truth)))
    return pairs


def test_figures_by_hand():
    # p / t: 2 / 1, 1 / 2, 4 / 4; invalid: 0
    pred, truth = np.array([[2.0, 1, 4, 7]]), np.array([[1.0, 2, 4, 0]])
    log2 = math.log(2)
    expected = {
        'abs_rel': (1 + 1 / 2 + 0) / 3,
        'sq_rel': (1 + 1 / 2 + 0) / 3,
        'rmse': math.sqrt(2 / 3),
        'rmse_log': log2 * math.sqrt(2 / 3),
        'log10': 2 * math.log10(2) / 3,
        'silog': 100 * log2 * math.sqrt(2 / 3),  # the mean of d is 0
        'a1': 1 / 3,
        'a2': 1 / 3,
        'a3': 1 / 3,
        'images_without_depth': 0,
    }
    assert score([(pred, truth)], 'full') == pytest.approx(expected, abs=1e-9)


def test_accuracies_count_ratios_below_powers_of_five_quarters():
    truth = np.full((1, 4), 4.0)
    pred = np.array([[4.9, 5.0, 7.0, 2.1]])  # 1.225, 1.25, 1.75, 1.905
    results = score([(pred, truth)], 'full')
    assert [results[f'a{n}'] for n in (1, 2, 3)] == [0.25, 0.5, 1.0]


CROPS = {
    'nyu_eigen': (lambda h, w: (45, 471, 41, 601), 10, (480, 640)),
    'kitti_garg': (lambda h, w: (153, 371, 44, 1197), 80, (375, 1242)),
    'kitti_eigen': (lambda h, w: (124, 342, 44, 1197), 80, (375, 1242)),
    'cityscapes': (lambda h, w: (0, h, 0, w), 80, (64, 128)),
    'full': (lambda h, w: (0, h, 0, w), np.inf, (48, 64)),
    'authors': (lambda h, w: (0, h, 0, w), np.inf, (48, 64)),
}


def test_every_protocol_is_compared():
    assert CROPS.keys() == PROTOCOLS.keys()


def test_medians_of_large_images():
    """torch.quantile, which took them, refuses more than 16 million numbers."""
    truth = torch.full((4100, 4100), 2.0)
    assert score([(truth / 4, truth)], 'full', median_scaling=True)['abs_rel'] == 0


@pytest.mark.parametrize('median_scaling', [False, True])
@pytest.mark.parametrize('protocol', CROPS)
def test_agrees_with_numpy(protocol, median_scaling):
    crop, limit, size = CROPS[protocol]
    pairs = maps(size, far=1.3 * min(limit, 50))
    expected = in_numpy(pairs, crop, limit, protocol != 'authors', median_scaling)
    found = score(pairs, protocol, median_scaling=median_scaling)
    assert found.pop('images_without_depth') == 0
    assert found == pytest.approx(expected, rel=1e-9)


def test_only_the_crop_counts():
    pred, truth = np.full((480, 640), 5.0), np.full((480, 640), 5.0)
    pred[:45], pred[471:], pred[:, :41], pred[:, 601:] = 1, 1, 1, 1
    assert score([(pred, truth)], 'nyu_eigen')['abs_rel'] == 0
    pred[44:472, 40:602] = 1
    assert score([(pred, truth)], 'nyu_eigen')['abs_rel'] == pytest.approx(0.8)
    half = [x[::2, ::2] for x in (pred, truth)]
    assert score([half], 'nyu_eigen')['abs_rel'] == pytest.approx(0.8)


def test_predictions_are_clamped_but_not_the_authors():
    truth = np.array([[5.0, 5.0]])
    pred = np.array([[0.0, 95.0]])
    assert score([(pred, truth)], 'cityscapes')['rmse'] == pytest.approx(
        math.sqrt((4.999**2 + 75**2) / 2)
    )
    authors = score([(pred, truth)], 'authors')
    assert authors['rmse'] == pytest.approx(math.sqrt((5**2 + 90**2) / 2))
    assert all(math.isfinite(value) for value in authors.values())
    behind = score([(-truth, truth)], 'authors')
    assert behind['rmse'] == 10 and behind['a3'] == 0


def test_images_without_valid_depth_are_counted_and_skipped():
    good, *_ = maps((12, 16), 9)
    empty = (good[0], np.zeros_like(good[1]))
    far = (good[0], np.full_like(good[1], 11))
    alone = score([good], 'nyu_eigen')
    assert alone['images_without_depth'] == 0
    assert score([empty, good, far], 'nyu_eigen') == {**alone, 'images_without_depth': 2}
    assert score([empty, far], 'nyu_eigen') == {'images_without_depth': 2}


def test_memory_is_a_few_figures_per_image():
    metric = DepthMetric('full')
    for pair in maps((48, 64), 9):
        metric.process({}, [sample(*pair)])
    assert [len(figures) for figures in metric.results] == [len(FIGURES)] * 3
    assert all(type(value) is float for value in metric.results[0])


def test_the_protocol_is_named_in_log_and_results(tmp_path):
    log = tmp_path / 'log'
    MMLogger.get_instance('protocol', log_file=str(log))
    metric = METRICS.build(dict(type='sacm_mm.DepthMetric', protocol='kitti_garg'))
    metric.process({}, [sample(*pair) for pair in maps((375, 1242), 80, count=1)])
    assert 'kitti_garg/abs_rel' in metric.evaluate(1)
    assert 'kitti_garg: 1 images, 0 without valid depth' in log.read_text()
    assert DepthMetric('full', median_scaling=True).prefix == 'full_median_scaled'


def test_mistakes_are_named():
    with pytest.raises(UserError, match=r"'nyu_eigem'.*nyu_eigen, kitti_garg, .*authors"):
        DepthMetric('nyu_eigem')
    metric = DepthMetric('full')
    with pytest.raises(UserError, match='64x48 pixels, but its prediction is 32x24'):
        metric.process({}, [sample(np.ones((24, 32)), np.ones((48, 64)))])
    with pytest.raises(UserError, match='gt_depth_map'):
        metric.process({}, [{'pred_depth_map': {'data': torch.ones(1, 4, 4)}}])


def _score_share(rank, folder):
    """Score every second image, as a sampler deals them: the last one comes twice."""
    dist.init_process_group('gloo', f'file://{folder}/store', rank=rank, world_size=2)
    pairs = maps((12, 16), 9, count=5)
    pairs[2][1][:] = 0
    metric = DepthMetric('full')
    for i in (rank, rank + 2, (rank + 4) % 5):
        metric.process({}, [sample(*pairs[i])])
    torch.save(metric.evaluate(5), folder / f'{rank}.pt')


@pytest.mark.slow
def test_two_processes_score_as_one(tmp_path):
    mp.spawn(_score_share, args=(tmp_path,), nprocs=2)
    pairs = maps((12, 16), 9, count=5)
    pairs[2][1][:] = 0
    alone = score(pairs, 'full')
    assert alone['images_without_depth'] == 1
    for rank in range(2):
        shared = torch.load(tmp_path / f'{rank}.pt')
        assert shared == pytest.approx({f'full/{key}': value for key, value in alone.items()})


@pytest.fixture(scope='module')
def nyu():
    """Paths of the true depth, and the maps that need no image: constant, and mean log depth."""
    folder = DATA / 'nyu/annotations'
    paths = {split: sorted(folder.glob(f'{split}/*.png')) for split in ('train', 'test')}
    if len(paths['train']) != 795 or len(paths['test']) != 654:
        pytest.skip('needs the 795 and 654 depth maps of NYUv2 in $SACM_DATA/nyu/annotations')
    counts, logs = np.zeros(2**16, np.int64), 0
    for path in paths['train']:
        depth = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        counts += np.bincount(depth.ravel(), minlength=2**16)
        logs = logs + np.log(depth / 1000)
    assert counts[0] == 0
    median = np.searchsorted(counts.cumsum(), counts.sum() / 2) / 1000
    maps = {'constant': np.full((480, 640), median), 'mean log': np.exp(logs / len(paths['train']))}
    return paths['test'], maps


@pytest.mark.slow
@pytest.mark.parametrize(
    ('kind', 'abs_rel', 'rmse', 'a1'),
    [('constant', 0.410, 1.363, 0.378), ('mean log', 0.359, 1.211, 0.430)],
)
def test_maps_that_need_no_image_score_what_is_known_on_nyu(nyu, kind, abs_rel, rmse, a1):
    """The known rmse is over all pixels at once, not the mean over images."""
    paths, pred = nyu[0], nyu[1][kind]
    metric, squares, pairs = DepthMetric('full'), [], []
    for path in paths:
        truth = np.float32(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)) / 1000
        metric.process({}, [sample(pred, truth)])
        squares.append(metric.results[-1][FIGURES.index('rmse')] ** 2)
        pairs.append((pred[::8, ::8], truth[::8, ::8]))
    results = metric.evaluate(len(paths))
    found = (results['full/abs_rel'], math.sqrt(np.mean(squares)), results['full/a1'])
    assert found == pytest.approx((abs_rel, rmse, a1), abs=3e-3)
    eigen = score([(pred, truth)], 'nyu_eigen')
    del eigen['images_without_depth']
    crop, limit, _ = CROPS['nyu_eigen']
    assert eigen == pytest.approx(in_numpy([(pred, truth)], crop, limit))
    full = in_numpy(pairs, CROPS['full'][0], np.inf)
    small = score(pairs, 'full')
    assert {key: small[key] for key in full} == pytest.approx(full)
