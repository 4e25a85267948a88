"""The page of a check in a browser, at two widths."""

import re
import shutil
import subprocess

import own_sources
import pytest
import yaml

from sacm_mm.own_data.checking import check
from sacm_mm.own_data.page import page_text
from sacm_mm.own_data.sources import prepare_source

_NAMES = ('chromium', 'chromium-browser', 'google-chrome')
CHROMIUM = next(filter(None, map(shutil.which, _NAMES)), '')
LONG = 'A_class_with_a_name_that_is_much_too_long_for_a_telephone_and_has_no_spaces'


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    root = tmp_path_factory.mktemp('page')
    prepare_source('folder', own_sources.folder_numbers(root, 20), root / 'mine')
    listing = root / 'mine/dataset.yaml'
    content = yaml.safe_load(listing.read_text(encoding='utf-8'))
    content['classes'][1]['name'] = '<script>document.title = "run"</script>'
    content['classes'][2]['name'] = LONG
    listing.write_text(yaml.safe_dump(content), encoding='utf-8')
    return page_text(check(root / 'mine'))


def test_page_needs_nothing_else(page):
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert '<script' not in page


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason='Chromium is not installed')
@pytest.mark.parametrize('width', [1200, 500])  # the least of a headless window is 500
def test_page_fits_the_window(width, page, tmp_path):
    # what the page says of itself: whether it is wider than the window, and its pictures
    probe = (
        '<script>document.body.dataset.wide = document.documentElement.scrollWidth > innerWidth;'
        'document.body.dataset.shown = [...document.images].filter(i => i.naturalWidth).length;'
        'document.body.dataset.all = document.images.length</script>'
    )
    path = tmp_path / 'check.html'
    path.write_text(page.replace('</body>', f'{probe}</body>'), encoding='utf-8')
    done = subprocess.run(
        [CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu', f'--window-size={width},900',
         '--virtual-time-budget=2000', '--dump-dom', path.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    body = re.search(r'<body[^>]*>', done.stdout).group()
    found = dict(re.findall(r'data-(\w+)="(\w+)"', body))
    assert found['wide'] == 'false'
    assert found['shown'] == found['all'] and int(found['all']) >= 12
    assert '<title>mine: check</title>' in done.stdout
