"""Depth-edge accuracy and completeness against values worked out by hand."""

import math

import numpy as np
import pytest
import torch

from sacm_mm import DepthMetric
from sacm_mm.evaluation.depth_edges import depth_edges, edge_errors


def line(column, height=20, width=40):
    edges = np.zeros((height, width), bool)
    edges[:, column] = True
    return edges


def step(column, near=1.0, far=3.0, height=20, width=40):
    depth = np.full((height, width), near, np.float32)
    depth[:, column:] = far
    return depth


@pytest.mark.parametrize(
    ('predicted', 'true', 'wanted'),
    [
        ([10], [10], (0, 0)),
        ([13], [10], (3, 3)),
        # the made-up line is 15 from the true one: left out of accuracy, 10 in completeness
        ([10, 25], [10], (0, (0 + 10 + 0) / 3)),
        # one of two true lines is missed: 10 of the nearest
        ([10], [10, 30], (0, (0 + 0 + 10) / 3)),
        ([12], [10, 30], (2, (2 + 2 + 10) / 3)),
        ([30], [10], (10, 10)),
        ([], [10], (10, 10)),
    ],
)
def test_errors_of_straight_edges(predicted, true, wanted):
    found, truth = (np.any([line(-1) & False, *map(line, c)], axis=0) for c in (predicted, true))
    assert edge_errors(found, truth) == pytest.approx(wanted, abs=1e-5)


def test_errors_go_the_shortest_way():
    found, true = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    true[5, 5] = found[8, 9] = True  # 3 down, 4 right
    assert edge_errors(found, true) == pytest.approx((5, 5), abs=1e-5)


def test_without_true_edges_there_is_nothing_to_find():
    assert edge_errors(line(3), line(3) & False) is None


def test_a_step_is_one_edge_whatever_its_unit():
    for scale in (1.0, 1000.0):
        edges = depth_edges(step(20) * scale)
        rows, columns = np.nonzero(edges[2:-2])
        assert set(columns) <= {19, 20} and set(rows) == set(range(16))
    assert not depth_edges(np.full((20, 40), 2.0)).any()


def test_a_ramp_has_no_edge():
    assert not depth_edges(np.tile(np.linspace(1, 5, 80), (40, 1))).any()


def test_holes_are_no_edges():
    depth = step(20)
    depth[5:9, 5:9] = 0
    depth[10:14, 18:22] = np.nan
    valid = np.isfinite(depth) & (depth > 0)
    edges = depth_edges(depth, valid)
    assert not edges[:, :17].any() and not edges[~valid].any()
    assert edges[16:18, 19:21].any()


def score(pairs, **options):
    metric = DepthMetric('nyu_eigen', **options)
    for pair in pairs:
        pred, truth = (torch.as_tensor(x)[None] for x in pair)
        metric.process({}, [{'pred_depth_map': {'data': pred}, 'gt_depth_map': {'data': truth}}])
    return metric.evaluate(len(pairs))


def test_the_metric_reports_edges_on_request():
    size = dict(height=96, width=128)
    truth, flat = step(60, **size), np.full((96, 128), 2.0, np.float32)
    plain = score([(truth, truth)])
    assert 'nyu_eigen/edge_acc' not in plain
    same, moved = (
        score([(truth, truth)], edges=True),
        score([(step(64, **size), truth)], edges=True),
    )
    assert {k: v for k, v in same.items() if 'edge' not in k} == plain
    assert (same['nyu_eigen/edge_acc'], same['nyu_eigen/edge_comp']) == (0, 0)
    assert moved['nyu_eigen/edge_acc'] == pytest.approx(4, abs=0.1)
    assert moved['nyu_eigen/edge_comp'] == pytest.approx(4, abs=0.1)
    # an image without true edges does not count in them; a flat prediction of edges counts 10
    both = score([(truth, truth), (truth, flat), (flat, truth)], edges=True)
    assert both['nyu_eigen/edge_comp'] == pytest.approx(5)
    none = score([(truth, flat)], edges=True)
    assert 'nyu_eigen/edge_acc' not in none and math.isfinite(none['nyu_eigen/rmse'])
