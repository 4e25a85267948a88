# VOC2012 + SBD: train.txt, and aug.txt with its masks in SegmentationClassAug.
_base_ = ['./voc2012.py']
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            {{_base_.dataset_train}},
            dict(
                type='sacm_mm.VOCDataset',
                data_root={{_base_.data_root}},
                data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
                ann_file='ImageSets/Segmentation/aug.txt',
                pipeline={{_base_.train_pipeline}},
            ),
        ],
    )
)
