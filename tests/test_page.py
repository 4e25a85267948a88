"""The offline page: its answers equal Python's, in a real browser; names in it are only text."""

import base64
import json
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from matplotlib import cbook
from mmengine.dataset import Compose, default_collate
from test_kernels_inference import tiny_model

from sacm_mm import UserError
from sacm_mm.apis.models import load_model
from sacm_mm.core.configs import load_config
from sacm_mm.datasets.meta import model_meta
from sacm_mm.deploy import page, web_runtime
from sacm_mm.deploy.description import describe
from sacm_mm.deploy.page import Sample, write_page

HOSTILE = '</script><img src=x onerror="window.hacked=1">'
BROWSER = shutil.which('chromium') or shutil.which('google-chrome')
DROP = """async ({name, data}) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name));
  document.dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true}));
}"""
ANSWER = """async () => {
  const {classes, depth, scores, width, height} = sacm.answer, list = (x) => x && Array.from(x);
  const png = classes && new Uint8Array(await (await sacm.maskPng()).arrayBuffer());
  return {classes: list(classes), depth: list(depth), scores, width, height, png: list(png),
          isolated: self.crossOriginIsolated, hacked: window.hacked ?? null};
}"""


def meta_of(**changes):
    plain = dict(task='segmentation', classes=['a', 'b'], palette=[[0, 0, 0], [9, 9, 9]],
                 threshold=None, channels=3, dtype='uint8', colours='RGB', mean=[0.0] * 3,
                 std=[1.0] * 3, resize=[])  # fmt: skip
    return plain | changes


def test_names_are_text_wherever_they_stand():
    about = page._about(None, meta_of(classes=[HOSTILE, 'b']), 640)
    sample = Sample(f'"{HOSTILE}', b'\x89PNG')
    text = page._fill(about, [sample], HOSTILE, {})
    assert '<img src=x' not in text
    assert text.count('</script>') == 2  # the description's and the page's own
    inside = text.split('type="application/json">')[1].split('</script>')[0]
    assert json.loads(inside)['classes'] == [HOSTILE, 'b']


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        (dict(channels=4, mean=[0.0] * 4), 'pictures of 1 or 3 channels, this network has 4'),
        (dict(dtype='uint16'), 'pictures of 8 bits'),
        (dict(resize=None), 'in a way that a page does not know'),
        (
            dict(resize=[dict(step='short_edge', size=9, backend='cv2', interpolation='area')]),
            "does not resize by cv2's area",
        ),
    ],
)
def test_what_a_page_cannot_do_is_said_first(tmp_path, changes, said):
    with pytest.raises(UserError, match=said):
        write_page(torch.nn.Identity(), tmp_path / 'a.html', meta_of(**changes))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_is_said_before_time_is_spent(tmp_path):
    (tmp_path / 'page').mkdir()
    (tmp_path / 'page/mine.txt').touch()
    with pytest.raises(UserError, match='exists and is not overwritten'):
        write_page(torch.nn.Identity(), tmp_path / 'page', meta_of(), runtime=tmp_path)
    assert [path.name for path in tmp_path.rglob('*')] == ['page', 'mine.txt']


def test_without_npm_or_with_another_package(tmp_path, monkeypatch):
    with pytest.raises(UserError, match='is not onnxruntime-web: it has no ort'):
        web_runtime.find_web_runtime(tmp_path)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('PATH', '')
    with pytest.raises(
        UserError, match=r'npm is not installed: install Node\.js, or name a folder'
    ):
        web_runtime.find_web_runtime()
    monkeypatch.setenv('PATH', str(tmp_path))
    npm = tmp_path / 'npm'
    npm.write_text('#!/bin/sh\necho "npm error code ENOTFOUND" >&2\nexit 1\n')
    npm.chmod(0o755)
    with pytest.raises(UserError, match=r'npm does not fetch .*ENOTFOUND.*--web-runtime'):
        web_runtime.find_web_runtime()
    npm.write_text('#!/bin/sh\necho other > onnxruntime-web.tgz\n')
    with pytest.raises(UserError, match=r'is not onnxruntime-web 1\.30\.0 as it was published'):
        web_runtime.find_web_runtime()
    assert not (tmp_path / 'cache').exists()


@pytest.fixture(scope='session')
def runtime():
    try:
        return web_runtime.find_web_runtime()
    except UserError as error:  # no npm, no network
        pytest.skip(str(error))


@pytest.fixture(scope='session')
def chromium():
    playwright = pytest.importorskip('playwright.sync_api')
    if BROWSER is None:
        pytest.skip('no Chromium')
    with playwright.sync_playwright() as player:
        browser = player.chromium.launch(executable_path=BROWSER, args=['--no-sandbox'])
        yield browser
        browser.close()


def model_of(name):
    """A trained model where the repository has one, else a tiny one of random weights."""
    cfg = load_config(name, [])
    weights = Path(__file__).parents[1] / 'results' / name[5:-3] / 'weights.pth'
    if weights.is_file():
        model, names = load_model(cfg, str(weights))
    else:
        model, names = tiny_model(name), model_meta(cfg)
    return model, cfg, dict(describe(model, cfg, names))


def asked_of_python(model, cfg, picture):
    """What the host answers, through the config's own pipeline."""
    if cfg.default_scope == 'mmpretrain':
        image = cv2.imread(str(picture))
        pipeline = Compose(cfg.test_dataloader.dataset.pipeline)
        data = pipeline(dict(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2]))
        with torch.no_grad():
            (sample,) = model.test_step(default_collate([data]))
        return dict(scores=sample.pred_score.numpy())
    from mmseg.apis import inference_model

    model.cfg = cfg
    sample = inference_model(model, str(picture))
    found = {}
    if 'pred_sem_seg' in sample:
        found['classes'] = sample.pred_sem_seg.data[0].numpy()
    if 'pred_depth_map' in sample:
        found['depth'] = sample.pred_depth_map.data[0].numpy()
    return found


def asked_of_page(browser, url, picture, width=1280):
    tab = browser.new_page(viewport=dict(width=width, height=844))
    tab.set_default_timeout(300_000)
    errors: list[str] = []
    tab.on('pageerror', lambda error: errors.append(str(error)))
    failed = "document.querySelector('#status.failed')"
    tab.goto(url)
    tab.wait_for_function(f'!!(window.sacm && window.sacm.run || {failed})')
    data = base64.b64encode(picture.read_bytes()).decode()
    tab.evaluate(DROP, dict(name=picture.name, data=data))
    tab.wait_for_function(f'!!(window.sacm.answer || {failed})')
    answer = tab.evaluate(ANSWER)
    answer['legend'] = tab.locator('#legend').inner_text()
    overflow = tab.evaluate('document.documentElement.scrollWidth - innerWidth')
    tab.close()
    assert not errors and overflow <= 0
    return answer


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'width'),
    [
        ('sacm_camvid_light.py', 1280),
        ('sacm_nyu_light.py', 390),
        ('sacm_nyu_joint_light.py', 390),
        ('sacm_cifar10_light.py', 1280),
    ],
)
def test_a_photograph_gets_the_answer_of_python(tmp_path, runtime, chromium, name, width):
    model, cfg, meta = model_of(name)
    if meta['classes']:
        meta['classes'][0] = HOSTILE
    picture = Path(cbook.get_sample_data('grace_hopper.jpg', asfileobj=False))
    out = tmp_path / 'page.html'
    sample = Sample(HOSTILE, picture.read_bytes())
    differences = write_page(model, out, meta, [sample], runtime=runtime)
    assert all(difference < 1e-4 for difference in differences.values())
    assert list(tmp_path.iterdir()) == [out]
    wanted = asked_of_python(model, cfg, picture)
    found = asked_of_page(chromium, out.as_uri(), picture, width)
    assert found['hacked'] is None
    if 'scores' in wanted:
        np.testing.assert_allclose(found['scores'], wanted['scores'], atol=0.01)
        return
    size = (found['height'], found['width'])
    if 'classes' in wanted:
        classes = np.array(found['classes']).reshape(size)
        assert (classes != wanted['classes']).mean() < 1e-3
        png = cv2.imdecode(np.array(found['png'], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert (png == np.array(meta['palette'])[classes]).all()
        assert HOSTILE in found['legend']
    if 'depth' in wanted:
        depth = np.array(found['depth']).reshape(size)
        assert np.median(np.abs(depth / wanted['depth'] - 1)) < 5e-3


@pytest.mark.slow
def test_a_served_folder_has_threads(tmp_path, runtime, chromium):
    model, cfg, meta = model_of('sacm_camvid_light.py')
    out = tmp_path / 'page'
    write_page(model, out, meta, runtime=runtime)
    server = subprocess.Popen([sys.executable, 'serve.py', '8765'], cwd=out)
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen('http://localhost:8765/').close()
                break
            except OSError:
                time.sleep(0.1)
        picture = Path(cbook.get_sample_data('grace_hopper.jpg', asfileobj=False))
        found = asked_of_page(chromium, 'http://localhost:8765/', picture)
    finally:
        server.kill()
        server.wait()
    assert found['isolated']
    classes = np.array(found['classes']).reshape(found['height'], found['width'])
    assert (classes != asked_of_python(model, cfg, picture)['classes']).mean() < 1e-3


@pytest.mark.slow
def test_a_network_that_computes_otherwise_is_refused(tmp_path, runtime, monkeypatch):
    monkeypatch.setattr(page, 'check_values', lambda dims: np.zeros(dims, np.float32))
    model, _, meta = model_of('sacm_nyu_joint_light.py')
    with pytest.raises(UserError, match="page refused: onnxruntime-web computes another 'logits'"):
        write_page(model, tmp_path / 'page.html', meta, runtime=runtime)
    assert not list(tmp_path.iterdir())
