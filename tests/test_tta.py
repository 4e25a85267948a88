"""What test-time augmentation averages: what the head means."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample


def view(probability):
    sample = SegDataSample(metainfo=dict(img_path='a.png'))
    sample.seg_logits = PixelData(data=torch.tensor([probability]))
    return sample


@pytest.mark.parametrize('threshold', [0.5, 0.3])
def test_a_head_of_one_logit_is_averaged_as_the_probability_that_it_is(threshold):
    init_default_scope('mmseg')
    model = dict(
        type='EncoderDecoder',
        backbone=dict(type='sacm_mm.SAConvMixer', arch='d16-l2-k3-p4'),
        decode_head=dict(type='sacm_mm.PixelShuffleHead', in_channels=16, upscale_factor=4,
                         num_classes=2, out_channels=1, threshold=threshold),
    )  # fmt: skip
    tta = MODELS.build(ConfigDict(type='sacm_mm.DenseTTAModel', module=model))
    views = [view([[0.1, 0.9, 0.4]]), view([[0.1, 0.7, 0.3]])]
    (merged,) = tta.merge_preds([views])
    assert merged.pred_sem_seg.data.tolist() == [[[0, 1, int(threshold < 0.35)]]]
