"""Pictures of depth: one range for all, gaps marked, errors shown, drawn by the hosts' hooks."""

import numpy as np
import pytest
import torch
from matplotlib import colormaps
from mmengine.registry import VISUALIZERS, init_default_scope
from mmengine.structures import PixelData
from mmengine.visualization import Visualizer
from mmseg.engine import SegVisualizationHook
from mmseg.structures import SegDataSample
from PIL import Image

import sacm_mm.visualization.depth as depth_pictures
from sacm_mm.core.errors import UserError
from sacm_mm.datasets.depth import NYUDataset
from sacm_mm.visualization.depth import (
    DepthPicture,
    DepthStyle,
    draw_picture,
    enlarge_points,
    save_grid,
)
from sacm_mm.visualization.depth_visualizer import DepthLocalVisualizer, picture_of

H, W = 30, 40
META = NYUDataset.METAINFO


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmseg')


@pytest.fixture
def panels(monkeypatch):
    """The RGBA arrays that are shown, by the titles of their panels."""
    shown = {}

    class Recording(depth_pictures.Sheet):
        def panel(self, row, column, title):
            axis = super().panel(row, column, title)
            show = axis.imshow

            def imshow(values, **kwargs):
                shown[title] = np.asarray(values)
                return show(values, **kwargs)

            axis.imshow = imshow
            return axis

    monkeypatch.setattr(depth_pictures, 'Sheet', Recording)
    return shown


def picture(**more):
    truth = np.full((H, W), 2.0, np.float32)
    truth[:, 20:] = 8.0
    truth[:10, :10] = 0
    prediction = truth + np.float32(0.5)
    image = np.full((H, W, 3), 90, np.uint8)
    return DepthPicture(image, prediction, truth, **more)


def labelled():
    labels = np.zeros((H, W), np.int64)
    labels[15:] = 1
    true = labels.copy()
    true[:, :5] = 255
    return picture(labels=labels, true_labels=true)


def colour(value, low, high, cmap):
    return [int(255.999 * c) for c in colormaps[cmap]((value - low) / (high - low))[:3]]


def test_colours_are_those_of_the_fixed_range(panels):
    for shift in (1.0, 0.1):  # the colour of a depth does not depend on the rest of its picture
        p = picture()
        p.prediction[:, 30:] = 20 * shift
        drawn = draw_picture(p, DepthStyle(max_depth=10, cmap='viridis'))
        assert drawn.dtype == np.uint8 and drawn.shape[2] == 3
        truth = panels['true depth']
        np.testing.assert_allclose(truth[20, 5, :3], colour(2, 0, 10, 'viridis'), atol=1)
        np.testing.assert_allclose(truth[20, 35, :3], colour(8, 0, 10, 'viridis'), atol=1)
        np.testing.assert_allclose(
            panels['predicted depth'][20, 25, :3], colour(8.5, 0, 10, 'viridis'), atol=1
        )
    p.prediction[:] = 99
    draw_picture(p, DepthStyle(max_depth=10, cmap='viridis'))
    np.testing.assert_allclose(
        panels['predicted depth'][0, 0, :3], colour(10, 0, 10, 'viridis'), atol=1
    )


def test_what_was_not_measured_is_seen_through_and_has_no_error(panels):
    draw_picture(picture(), DepthStyle())
    gap = np.zeros((H, W), bool)
    gap[:10, :10] = True
    assert np.array_equal(panels['true depth'][..., 3] == 0, gap)
    assert np.array_equal(panels['error'][..., 3] == 0, gap)
    assert (panels['predicted depth'][..., 3] == 255).all()


def test_errors_are_signed(panels):
    p = picture()
    p.prediction[:, 20:] -= 1.0  # now 0.5 m too near
    draw_picture(p, DepthStyle(max_depth=10))
    error = panels['error']
    np.testing.assert_allclose(error[20, 5, :3], colour(0.5, -2, 2, 'coolwarm'), atol=1)
    np.testing.assert_allclose(error[20, 30, :3], colour(-0.5, -2, 2, 'coolwarm'), atol=1)
    assert error[20, 5, 0] > error[20, 5, 2] and error[20, 30, 0] < error[20, 30, 2]


def test_panels_are_what_is_known(panels):
    for known, titles in (
        (picture(), {'image', 'true depth', 'predicted depth', 'error'}),
        (picture()._replace(truth=None), {'image', 'predicted depth'}),
        (picture()._replace(prediction=None), {'image', 'true depth'}),
        (
            labelled(),
            {
                'image', 'true depth', 'predicted depth', 'error', 'true classes',
                'predicted classes',
            },
        ),
        (labelled()._replace(truth=None, true_labels=None),
         {'image', 'predicted depth', 'predicted classes'}),
    ):  # fmt: skip
        panels.clear()
        draw_picture(known, DepthStyle(), META['classes'], META['palette'])
        assert set(panels) == titles


def test_void_does_not_count_in_predicted_classes(panels):
    draw_picture(labelled(), DepthStyle(), META['classes'], META['palette'])
    for title in ('true classes', 'predicted classes'):
        assert (panels[title][:, :5] == 255).all()
        assert panels[title][0, 10].tolist() == META['palette'][0]
        assert panels[title][29, 10].tolist() == META['palette'][1]


def test_colour_bars_name_their_unit(monkeypatch):
    sheets = []

    class Kept(depth_pictures.Sheet):
        def __init__(self, *args):
            super().__init__(*args)
            sheets.append(self)

    monkeypatch.setattr(depth_pictures, 'Sheet', Kept)
    draw_picture(picture(), DepthStyle(max_depth=126.0, label='disparity (px)'))
    bars = {axis.get_xlabel(): axis.get_xlim() for axis in sheets[0].figure.axes}
    assert bars['disparity (px)'] == (0, 126)
    assert bars['prediction - truth (px)'] == pytest.approx((-25.2, 25.2))
    (legend,) = sheets[0].figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ['not measured']


def test_a_map_without_any_measurement_is_drawn():
    p = picture()
    p.truth[:] = 0
    assert draw_picture(p, DepthStyle()).std() > 5


def test_single_points_become_dots():
    values = np.full((9, 9), np.nan)
    values[2, 2], values[6, 7] = 3.0, -1.0
    drawn = enlarge_points(values)
    expected = np.full((9, 9), np.nan)
    for (y, x), value in (((2, 2), 3.0), ((6, 7), -1.0)):
        expected[y, x - 1 : x + 2] = expected[y - 1 : y + 2, x] = value
    assert np.array_equal(drawn, expected, equal_nan=True)


@pytest.mark.parametrize('style', [dict(cmap='rainbows'), dict(max_depth=0.0)])
def test_styles_that_cannot_be_drawn(style):
    with pytest.raises(UserError, match=r'rainbows|max_depth is 0'):
        DepthLocalVisualizer(**style)


# ------------------------------------------ the hosts draw with it


def sample_of(known, **meta):
    sample = SegDataSample(metainfo=meta)
    for key, values in (
        ('gt_depth_map', known.truth), ('pred_depth_map', known.prediction),
        ('gt_sem_seg', known.true_labels), ('pred_sem_seg', known.labels),
    ):  # fmt: skip
        if values is not None:
            sample.set_data({key: PixelData(data=torch.from_numpy(values)[None])})
    return sample


def test_a_sample_becomes_a_picture():
    known = labelled()
    found = picture_of(known.image, sample_of(known))
    assert all(np.array_equal(a, b) for a, b in zip(found, known))
    without = picture_of(known.image, sample_of(known), draw_gt=False)
    assert without.truth is None and without.true_labels is None
    assert np.array_equal(without.prediction, known.prediction)
    assert picture_of(known.image, None) == DepthPicture(known.image)


@pytest.fixture
def visualizer(tmp_path, request):
    """Built from a config, as the runner does."""
    visualizer = VISUALIZERS.build(
        dict(
            type='sacm_mm.DepthLocalVisualizer',
            max_depth=10.0,
            name=request.node.name,
            vis_backends=[dict(type='LocalVisBackend')],
            save_dir=str(tmp_path),
        )
    )
    visualizer.dataset_meta = META
    assert isinstance(Visualizer.get_instance(request.node.name), DepthLocalVisualizer)
    return visualizer


@pytest.mark.parametrize('known', [picture(), labelled()], ids=['depth', 'joint'])
def test_the_host_s_hook_draws_depth(visualizer, tmp_path, known):
    photo = tmp_path / 'photo.png'
    Image.fromarray(known.image).save(photo)
    hook = SegVisualizationHook(draw=True)
    hook._visualizer = visualizer
    hook.after_test_iter(None, 0, {}, [sample_of(known, img_path=str(photo))])
    (drawn,) = tmp_path.rglob('test_photo.png_1.png')
    expected = draw_picture(known, visualizer.style, META['classes'], META['palette'])
    assert np.array_equal(np.array(Image.open(drawn)), expected)


def test_a_picture_can_be_written_to_a_file(visualizer, tmp_path):
    known = picture()
    out = tmp_path / 'out.png'
    visualizer.add_datasample('x', known.image, sample_of(known), out_file=str(out))
    assert np.array_equal(np.array(Image.open(out)), draw_picture(known, visualizer.style))


def test_without_depth_the_host_draws(visualizer, tmp_path):
    known = labelled()._replace(truth=None, prediction=None)
    out = tmp_path / 'out.png'
    visualizer.add_datasample('x', known.image, sample_of(known), out_file=str(out))
    assert Image.open(out).size == (2 * W, H)


def test_the_grid_has_a_row_a_picture(panels, tmp_path):
    for known, columns in ((picture(), 4), (labelled(), 6)):
        path = tmp_path / f'{columns}.png'
        save_grid([known] * 2, DepthStyle(), path, META['classes'], META['palette'])
        width, height = Image.open(path).size
        assert width == pytest.approx(120 * (columns * 3.3 + 0.1), abs=2)
        assert height > 2 * 120 * 3.2 * H / W


def test_classes_of_one_logit_are_drawn(tmp_path):
    """The host decides them as floats, by which no colour is found."""
    sample = SegDataSample()
    sample.pred_sem_seg = PixelData(data=torch.eye(H, W)[None])
    sample.gt_sem_seg = PixelData(data=torch.zeros(1, H, W, dtype=torch.int64))
    row = picture_of(np.zeros((H, W, 3), np.uint8), sample)
    colours = [[0, 0, 0], [255, 0, 0]]
    save_grid([row], DepthStyle(), tmp_path / 'grid.png', ['no', 'yes'], colours)
    grid = np.asarray(Image.open(tmp_path / 'grid.png').convert('RGB'))
    assert (grid == [255, 0, 0]).all(axis=2).any()
    drawn = draw_picture(row._replace(prediction=np.ones((H, W))), DepthStyle(), 'ab', colours)
    assert (drawn == [255, 0, 0]).all(axis=2).any()
