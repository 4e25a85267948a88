"""Depth data sets, which say what is wrong with the data before training starts.

A sample's ``depth_map_path`` is a 16-bit PNG; how it becomes metres is up to the loading transform.
"""

from pathlib import Path

from mmengine import fileio
from mmseg.datasets import CityscapesDataset as MMSegCityscapesDataset

from sacm_mm.core.errors import UserError
from sacm_mm.registry import DATASETS

from .segmentation import CheckedSegDataset


class CheckedDepthDataset(CheckedSegDataset):
    """Images with depth maps of the same relative names, and masks where ``seg_map_path`` is given.

    Args:
        depth_map_suffix: Ending of the depth maps, in place of the images'.
        **kwargs: ``mmseg.BaseSegDataset``'s; ``data_prefix`` has ``depth_map_path``.
    """

    PARTS = {**CheckedSegDataset.PARTS, 'depth_map_path': 'depth map', 'camera_path': 'camera file'}

    def __init__(self, depth_map_suffix: str = '.png', **kwargs) -> None:
        self.depth_map_suffix = depth_map_suffix
        super().__init__(**kwargs)

    def _list_samples(self) -> list[dict]:
        data_list = super()._list_samples()
        for info in data_list:
            info['depth_map_path'] = self._beside(info, 'depth_map_path', self.depth_map_suffix)
        return data_list

    def _beside(self, info: dict, key: str, suffix: str) -> str:
        """Path of another part of a sample: its image's in another folder, with another ending."""
        if key not in self.data_prefix:
            raise UserError(f"data_prefix of {type(self).__name__} has no '{key}': name its folder")
        name = Path(info['img_path']).relative_to(self.data_prefix['img_path']).as_posix()
        return str(Path(self.data_prefix[key], name.removesuffix(self.img_suffix) + suffix))


@DATASETS.register_module()
class NYUDataset(CheckedDepthDataset):
    """NYU Depth v2, the labelled part: 795 training and 654 test images of 480x640 pixels, indoors.

    Layout: ``<data_root>/{images,annotations,labels40}/{train,test}``: JPEG images, depth in
    millimetres (16 bit), and masks of the 39 classes, 255 is ignored; ``tools/prepare_data.py``
    makes it of the official file. ``labels40`` is needed where ``data_prefix`` has
    ``seg_map_path`` only.

    Source: Silberman et al., "Indoor segmentation and support inference from RGBD images", 2012.
    The classes are those of Gupta et al., 2013, without "other prop"; the colours are ScanNet's.
    """

    METAINFO = {
        'classes': (
            'wall', 'floor', 'cabinet', 'bed', 'chair', 'sofa', 'table', 'door', 'window',
            'bookshelf', 'picture', 'counter', 'blinds', 'desk', 'shelves', 'curtain', 'dresser',
            'pillow', 'mirror', 'floor mat', 'clothes', 'ceiling', 'books', 'refrigerator',
            'television', 'paper', 'towel', 'shower curtain', 'box', 'whiteboard', 'person',
            'night stand', 'toilet', 'sink', 'lamp', 'bathtub', 'bag', 'other structure',
            'other furniture',
        ),
        'palette': [
            [174, 199, 232], [152, 223, 138], [31, 119, 180], [255, 187, 120], [188, 189, 34],
            [140, 86, 75], [255, 152, 150], [214, 39, 40], [197, 176, 213], [148, 103, 189],
            [196, 156, 148], [23, 190, 207], [178, 76, 76], [247, 182, 210], [66, 188, 102],
            [219, 219, 141], [140, 57, 197], [202, 185, 52], [51, 176, 203], [200, 54, 131],
            [92, 193, 61], [78, 71, 183], [172, 114, 82], [255, 127, 14], [91, 163, 138],
            [153, 98, 156], [140, 153, 101], [158, 218, 229], [100, 125, 154], [178, 127, 135],
            [120, 185, 128], [146, 111, 194], [44, 160, 44], [112, 128, 144], [96, 207, 209],
            [227, 119, 194], [213, 92, 176], [94, 106, 211], [82, 84, 163],
        ],
    }  # fmt: skip
    HOW_TO_GET = (
        "make it of the official file with 'python tools/prepare_data.py nyu', set SACM_DATA to "
        "the folder with nyu, or make a sample set with 'python tools/make_sample_data.py nyu "
        "--out data/sample' and SACM_DATA=data/sample"
    )


@DATASETS.register_module()
class CityscapesDepthDataset(CheckedDepthDataset, MMSegCityscapesDataset):
    """Cityscapes with depth from its stereo disparity, or the disparity itself.

    Layout: ``<data_root>/{leftImg8bit,disparity,camera}/{train,val}/<city>``. Load the maps with
    ``sacm_mm.LoadCityscapesDepth``.

    Source: Cordts et al., "The Cityscapes dataset", 2016. The authors of SA-ConvMixer train on the
    disparity map, which is ``target='disparity'``.

    Args:
        data_prefix: Folders as ``img_path``, ``depth_map_path`` (disparity) and ``camera_path``,
            which is for depth only.
        target: 'depth', metres, or 'disparity', pixels at the full width of 2048.
        **kwargs: ``mmseg.BaseSegDataset``'s.

    Raises:
        UserError: A part of the data is missing, or ``target`` does not exist.
    """

    HOW_TO_GET = (
        'put Cityscapes there, with its disparity and camera packages, set SACM_DATA to the folder '
        "with cityscapes, or make a sample set with 'python tools/make_sample_data.py cityscapes "
        "--out data/sample' and SACM_DATA=data/sample"
    )

    def __init__(self, data_prefix: dict, target: str = 'depth', **kwargs) -> None:
        if target not in ('depth', 'disparity'):
            raise UserError(f"target '{target}' does not exist: choose depth or disparity")
        self.target = target
        if target == 'disparity':
            data_prefix = {k: v for k, v in data_prefix.items() if k != 'camera_path'}
        super().__init__(data_prefix=data_prefix, depth_map_suffix='_disparity.png', **kwargs)

    def _list_samples(self) -> list[dict]:
        data_list = super()._list_samples()
        for info in data_list:
            info['depth_target'] = self.target
            if self.target == 'depth':
                info['camera_path'] = self._beside(info, 'camera_path', '_camera.json')
        return data_list


@DATASETS.register_module()
class KITTIDepthDataset(CheckedDepthDataset):
    """KITTI raw images with the depth maps of the depth benchmark, 16 bit, metres times 256.

    Layout, the one of BTS, AdaBins and those that follow them: ``<data_root>/raw/<date>/<drive>/
    image_02/data/*.png``, ``<data_root>/gt_depth/<drive>/proj_depth/groundtruth/image_02/*.png``
    (the benchmark's train and val drives in one folder), and as ``ann_file`` their list of the
    Eigen split, a line for each image: its path in ``raw``, its depth map's in ``gt_depth`` or
    None, and the focal length. Images without a depth map are left out: 652 of 697 test images
    remain.

    Source: Geiger et al., 2013; Uhrig et al., 2017 (depth); Eigen et al., 2014 (split).
    """

    METAINFO: dict = {'classes': (), 'palette': []}
    HOW_TO_GET = (
        'put KITTI there (raw, gt_depth and the lists kitti_eigen_{train,test}_files_with_gt.txt), '
        "set SACM_DATA to the folder with kitti, or make a sample set with 'python "
        "tools/make_sample_data.py kitti --out data/sample' and SACM_DATA=data/sample"
    )

    def _list_samples(self) -> list[dict]:
        images, depths = (Path(self.data_prefix[key]) for key in ('img_path', 'depth_map_path'))
        text = fileio.get_text(self.ann_file, backend_args=self.backend_args)
        data_list = []
        for number, line in enumerate(text.splitlines(), 1):
            words = [*line.split(), '', '']
            image, depth = words[:2]
            if image and not depth:
                raise UserError(
                    f"line {number} of '{self.ann_file}' names no depth map: write 'IMAGE DEPTH' "
                    "or 'IMAGE None'"
                )
            if image and depth != 'None':
                info = dict(img_path=str(images / image), depth_map_path=str(depths / depth))
                data_list.append({**info, 'seg_fields': []})
        return data_list
