"""The model zoo is what the results say, and the hosts read it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kept_study import write_study
from model_zoo import made_files, stale, study_table

from sacm_mm import UserError
from sacm_mm.studies.report import write_report
from sacm_mm.studies.study import load_study

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def project(tmp_path):
    """A copy of what the zoo is made of and makes."""
    names = [*ROOT.glob('results/*/result.json'), *ROOT.glob('results/*/weights.pth')]
    names += [ROOT / 'results/zoo.yml', ROOT / 'results/complexity.csv', ROOT / 'README.md']
    for folder in ROOT.glob('results/*/study.json'):
        names += [folder, folder.with_name('table.csv'), *folder.parent.glob('pareto_*.webp')]
    names += [*ROOT.glob('results/swap_matrix*.csv'), *ROOT.glob('configs/*.py')]
    names += [*(ROOT / path for path in made_files(ROOT))]
    for path in names:
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    return tmp_path


def test_it_is_up_to_date():
    assert stale(ROOT) == [], "run 'python tools/maintenance/model_zoo.py'"


def test_the_check_says_what_is_stale(project, run_tool):
    assert run_tool('maintenance/model_zoo', '--check', '--root', project).code == 0
    path = project / 'results/camvid_light/result.json'
    path.write_text(re.sub(r'"mIoU": [\d.]+', '"mIoU": 12.34', path.read_text(), count=1))
    error = run_tool('maintenance/model_zoo', '--check', '--root', project).error
    assert 'configs/metafile.yml, README.md, docs/results.md is not what results/ says' in error
    assert run_tool('maintenance/model_zoo', '--root', project).code == 0
    assert 'mIoU 12.34' in (project / 'README.md').read_text()
    assert run_tool('maintenance/model_zoo', '--check', '--root', project).code == 0
    path.unlink()
    with pytest.raises(UserError, match="the result 'camvid_light', which is not there"):
        made_files(project)


def test_the_check_imports_nothing_heavy():
    code = 'import sys, model_zoo; print([m for m in ("torch", "mmengine") if m in sys.modules])'
    folder = ROOT / 'tools/maintenance'
    done = subprocess.run([sys.executable, '-c', code], cwd=folder, capture_output=True, text=True)
    assert done.stdout.strip() == '[]', done.stderr


def test_the_hosts_read_the_index():
    from modelindex.load_model_index import load

    index = load(str(ROOT / 'model-index.yml'))
    index.build_models_with_collections()
    models = {model.name: model for model in index.models}
    zoo = yaml.safe_load((ROOT / 'results/zoo.yml').read_text())['models']
    assert set(models) == {model['name'] for model in zoo}
    assert not index.check_errors
    for model in zoo:
        found = models[model['name']]
        assert (ROOT / found.config).is_file()
        assert found.weights is None or (ROOT / found.weights).stat().st_size < 5 * 2**20
        reported = 'reported by the authors' in str(found.metadata.data)
        assert reported == ('reported' in model)


def test_the_host_builds_a_listed_classifier():
    from mmpretrain.apis.model import ModelHub, get_model

    ModelHub.register_model_index(ROOT / 'model-index.yml', config_prefix=ROOT)
    try:
        weights = str(ROOT / 'results/cifar10_light/weights.pth')
        model = get_model('sa-convmixer-d256_cifar10', pretrained=weights)
        assert type(model.backbone).__name__ == 'SAConvMixer'
    finally:
        for model in yaml.safe_load((ROOT / 'results/zoo.yml').read_text())['models']:
            ModelHub._models_dict.pop(model['name'], None)


def test_the_pareto_page_shows_a_study_that_was_run(tmp_path):
    out = tmp_path / 'results/stem_camvid'
    figures = {'conv': [50.0, 52.0], 'pixel-unshuffle': [53.0]}
    write_study(load_study('stem_camvid', 'tiny'), out, figures)
    write_report(out)
    lines = study_table(tmp_path, 'stem_camvid')
    assert lines[2].startswith('| pixel unshuffle | 53.00 | 2.00 | 4.00 | 11.0 |')
    assert lines[3].startswith('| convolution | 51.00 ± 1.41 | 1.00 | 5.00 | 10.0 |')
    assert '- No other is better for fewer multiplications: pixel unshuffle.' in lines
    assert '- No other is better for a lower latency: convolution; pixel unshuffle.' in lines
    assert 'results/stem_camvid/pareto_macs.webp' in '\n'.join(lines)
    assert study_table(tmp_path, 'camvid_seg') == []
