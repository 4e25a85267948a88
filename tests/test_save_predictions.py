"""What tools/test.py --out writes: every picture its own file, with values that fit it."""

import cv2
import numpy as np
import pytest
from conftest import CAMVID, TINY_CAMVID, read_depth

from sacm_mm import UserError
from sacm_mm.core import files
from sacm_mm.core.depth_files import depth_scale, write_depth, write_scale
from sacm_mm.core.files import fit_classes, fit_integers, output_names, write_image


def test_metres_are_read_back_as_they_were_written(tmp_path):
    for largest in (10, 80, 300, 5000):
        scale = depth_scale(largest)
        depth = np.array([[0.5, largest / 2], [largest * 0.999, 0]])
        folder = tmp_path / str(largest)
        write_depth(depth, folder / 'far/a.png', scale)
        write_scale(folder, scale)
        np.testing.assert_allclose(read_depth(folder / 'far/a.png'), depth, atol=0.51 / scale)


@pytest.mark.parametrize('value', [65.6, -1.0, np.nan, np.inf])
def test_a_depth_that_does_not_fit_is_refused(tmp_path, value):
    with pytest.raises(UserError, match='does not fit uint16'):
        write_depth(np.array([[1.0, value]]), tmp_path / 'a.png', 1000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(('largest', 'dtype'), [(255, np.uint8), (256, np.uint16)])
def test_classes_take_the_bits_that_they_need(largest, dtype):
    fitted = fit_classes(np.array([[0, largest]]))
    assert (fitted.dtype, fitted.max()) == (dtype, largest)
    with pytest.raises(UserError, match='classes of a reaches from -1'):
        fit_classes(np.array([[-1, largest]]), 'classes of a')


def test_what_does_not_fit_a_picture_is_refused(tmp_path):
    with pytest.raises(UserError, match='0 to 255'):
        fit_integers(np.array([256]), np.uint8, 'labels')
    with pytest.raises(UserError, match='no picture format'):
        write_image(np.zeros((2, 2), np.uint8), tmp_path / 'a.nothing')
    with pytest.raises(TypeError, match='float64'):
        write_image(np.zeros((2, 2)), tmp_path / 'a.png')


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
@pytest.mark.parametrize('channels', [(), (1,), (3,), (4,)])
def test_a_large_picture_is_written_in_strips(tmp_path, monkeypatch, dtype, channels):
    monkeypatch.setattr(files, '_LARGE', 0)
    monkeypatch.setattr(files, '_STRIP', 7)
    limit = np.iinfo(dtype).max
    image = np.random.default_rng(0).integers(0, limit, (40, 33, *channels), dtype, True)
    write_image(image, tmp_path / 'a.png')
    found = cv2.imread(str(tmp_path / 'a.png'), cv2.IMREAD_UNCHANGED)
    assert found.dtype == dtype and (found.reshape(image.shape) == image).all()


def test_no_two_sources_share_a_file():
    names = output_names(
        ['p/a.jpg', 'p/a.PNG', 'p/q/a.jpg', 'p/q/b.jpg', 'p/B.jpg', 'p/b.tif'], '.png'
    )
    assert list(map(str, names.values())) == [
        'a.jpg.png', 'a.PNG.png', 'q/a.png', 'q/b.png', 'B.jpg.png', 'b.tif.png',
    ]  # fmt: skip
    assert list(map(str, output_names(['/far/away/x.jpg'], '.png').values())) == ['x.png']
    names = output_names(['p/a.jpg', 'p/a.bmp', 'p/a.jpg.png', 'p/b.jpg', 'p/b.jpg.png'], '.png')
    assert len(set(names.values())) == 5


def test_far_depth_is_not_wrapped(run_tool, depth_root, tmp_path, monkeypatch):
    """KITTI goes to 80 m: in millimetres that is more than 16 bits."""
    monkeypatch.setenv('SACM_DATA', str(depth_root))
    options = ['model.backbone.arch=d16-l2-k3-p4', 'model.decode_head.in_channels=16']
    options += ['model.decode_head.upscale_factor=4', 'test_dataloader.num_workers=0']
    options += ['test_dataloader.persistent_workers=False']
    import torch
    from mmengine.registry import MODELS, init_default_scope

    from sacm_mm.core.configs import load_config

    cfg = load_config('sacm_kitti.py', options)
    init_default_scope('mmseg')
    model = MODELS.build(cfg.model)
    head = model.decode_head
    with torch.no_grad():
        head.conv_seg.weight.zero_()
        head.conv_seg.bias.fill_(np.log(70 / 10))  # 80 m * sigmoid = 70 m everywhere
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'far.pth')
    done = run_tool(
        'test', 'sacm_kitti.py', tmp_path / 'far.pth', '--work-dir', tmp_path / 'w', '--out',
        tmp_path / 'depth', '--cfg-options', *options,
    )  # fmt: skip
    assert done.code == 0, done.err
    files = list((tmp_path / 'depth').rglob('*.png'))
    assert files
    assert read_depth(files[0]) == pytest.approx(70, abs=0.01)


def test_images_without_masks_and_of_equal_names(run_tool, trained, data, tmp_path):
    config = tmp_path / 'unlabelled.py'
    pictures = tmp_path / 'pictures'
    for name in ('one/a.png', 'two/a.png', 'two/a.bmp'):
        (pictures / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(pictures / name), np.full((48, 64, 3), 90, np.uint8))
    from sacm_mm.core.configs import find_config

    config.write_text(f"""
_base_ = '{find_config(CAMVID)}'
pipeline = [dict(type='LoadImageFromFile'), dict(type='PackSegInputs')]
test_dataloader = dict(dataset=dict(_delete_=True, type='BaseSegDataset', test_mode=True,
    metainfo=dict(classes=tuple('abcdefghijk')), img_suffix='a.png', pipeline=pipeline,
    data_prefix=dict(img_path='{pictures}')))
""")
    out = tmp_path / 'out'
    done = run_tool(
        'test', config, trained, '--work-dir', tmp_path / 'w', '--out', out,
        '--cfg-options', *TINY_CAMVID,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert sorted(str(p.relative_to(out)) for p in out.rglob('*.png')) == ['one/a.png', 'two/a.png']
    for flags in ([], ['--out', tmp_path / 'other', '--grid', tmp_path / 'g.png']):
        done = run_tool(
            'test', config, trained, '--work-dir', tmp_path / 'v', *flags,
            '--cfg-options', *TINY_CAMVID,
        )  # fmt: skip
        assert 'have no truth to' in done.error
        assert not (tmp_path / 'v').exists()
