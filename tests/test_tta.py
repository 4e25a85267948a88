"""What test-time augmentation averages: what the head means."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample

from sacm_mm.apis.test import _use_tta


def with_tta(model, kind):
    """Put around a model what ``sacm test --tta`` puts, by a config of this kind."""
    cfg = ConfigDict(
        model=model, tta_model=dict(type=kind), tta_pipeline=[], test_dataloader=dict(dataset={})
    )
    _use_tta(cfg)
    return cfg.model


def view(probability):
    sample = SegDataSample(metainfo=dict(img_path='a.png'))
    sample.seg_logits = PixelData(data=torch.tensor([probability]))
    return sample


@pytest.mark.parametrize('threshold', [0.5, 0.3])
@pytest.mark.parametrize('kind', ['sacm_mm.DenseTTAModel', 'SegTTAModel'])
def test_a_head_of_one_logit_is_averaged_as_the_probability_that_it_is(kind, threshold):
    """The host's model, which its configs have, took the sigmoid twice: every pixel was class 1."""
    init_default_scope('mmseg')
    model = dict(
        type='EncoderDecoder',
        backbone=dict(type='sacm_mm.SAConvMixer', arch='d16-l2-k3-p4'),
        decode_head=dict(type='sacm_mm.PixelShuffleHead', in_channels=16, upscale_factor=4,
                         num_classes=2, out_channels=1, threshold=threshold),
    )  # fmt: skip
    tta = MODELS.build(with_tta(model, kind))
    views = [view([[0.1, 0.9, 0.4]]), view([[0.1, 0.7, 0.3]])]
    (merged,) = tta.merge_preds([views])
    assert merged.pred_sem_seg.data.tolist() == [[[0, 1, int(threshold < 0.35)]]]


@pytest.mark.parametrize('joint', [False, True])
def test_classes_are_those_of_the_mean_probability_for_whoever_reads_the_logits(joint):
    """The paper's metric resizes the logits: it scored the last view alone."""
    init_default_scope('mmseg')
    kind = dict(in_channels=16, upscale_factor=4)
    model = dict(
        type='sacm_mm.SegDepthEstimator' if joint else 'EncoderDecoder',
        backbone=dict(type='sacm_mm.SAConvMixer', arch='d16-l2-k3-p4'),
        decode_head=dict(type='sacm_mm.PixelShuffleHead', num_classes=3, **kind),
    )
    if joint:
        model['depth_head'] = dict(type='sacm_mm.PixelShuffleDepthHead', **kind)
    tta = MODELS.build(ConfigDict(type='sacm_mm.DenseTTAModel', module=model))
    probabilities = torch.rand(2, 3, 4, 5).softmax(dim=1) ** 3
    probabilities /= probabilities.sum(dim=1, keepdim=True)
    views = [SegDataSample(metainfo=dict(img_path='a.png', img_shape=(s, s))) for s in (4, 8)]
    for sample, shares in zip(views, probabilities):
        sample.seg_logits = PixelData(data=shares.log())
    (merged,) = tta.merge_preds([views])
    mean = probabilities.mean(dim=0)
    torch.testing.assert_close(merged.seg_logits.data.softmax(dim=0), mean)
    assert torch.equal(merged.pred_sem_seg.data[0], mean.argmax(dim=0))
    assert merged.img_shape == (4, 4)


def test_one_logit_beside_depth_is_a_probability_too():
    init_default_scope('mmseg')
    kind = dict(in_channels=16, upscale_factor=4)
    model = dict(
        type='sacm_mm.SegDepthEstimator',
        backbone=dict(type='sacm_mm.SAConvMixer', arch='d16-l2-k3-p4'),
        decode_head=dict(
            type='sacm_mm.PixelShuffleHead', num_classes=2, out_channels=1, threshold=0.5, **kind
        ),
        depth_head=dict(type='sacm_mm.PixelShuffleDepthHead', **kind),
    )
    tta = MODELS.build(ConfigDict(type='sacm_mm.DenseTTAModel', module=model))
    (merged,) = tta.merge_preds([[view([[0.1, 0.9, 0.4]]), view([[0.1, 0.7, 0.3]])]])
    assert merged.pred_sem_seg.data.tolist() == [[[0, 1, 0]]]


def test_the_label_of_a_picture_is_that_of_the_mean_score():
    """What is painted and written has the label."""
    init_default_scope('mmpretrain')
    model = dict(
        type='ImageClassifier',
        backbone=dict(type='sacm_mm.SAConvMixer', arch='d16-l2-k3-p4'),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=3, in_channels=16),
    )
    scores = torch.tensor([[0.5, 0.4, 0.1], [0.1, 0.8, 0.1]])
    views = [DataSample().set_pred_score(score) for score in scores]
    for sample in views:
        sample.set_pred_label(sample.pred_score.argmax())
    (merged,) = MODELS.build(with_tta(model, 'AverageClsScoreTTA')).merge_preds([views])
    assert merged.pred_label.tolist() == [1]
    assert merged.pred_score.tolist() == pytest.approx([0.3, 0.6, 0.1])


@pytest.mark.parametrize(
    ('head', 'label'),
    [
        (dict(type='MultiLabelLinearClsHead', num_classes=3, thr=0.3), [0, 1]),
        (dict(type='MultiLabelLinearClsHead', num_classes=3, topk=1), [1]),
        (dict(type='LinearRegressionHead', num_classes=3), pytest.approx([0.3, 0.6, 0.1])),
    ],
)
def test_labels_of_a_mean_are_what_the_head_says(head, label):
    """All got the number of the largest score: one label, of several, or in place of numbers."""
    init_default_scope('mmpretrain')
    model = dict(
        type='ImageClassifier',
        backbone=dict(type='sacm_mm.SAConvMixer', arch='d16-l2-k3-p4'),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(head, in_channels=16),
    )
    scores = torch.tensor([[0.5, 0.4, 0.1], [0.1, 0.8, 0.1]])
    views = [DataSample().set_pred_score(score) for score in scores]
    (merged,) = MODELS.build(with_tta(model, 'AverageClsScoreTTA')).merge_preds([views])
    assert merged.pred_label.tolist() == label
