"""Test a checkpoint or an exported file with mmengine's Runner."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from torch import nn

from sacm_mm.apis.find_model import find_model
from sacm_mm.apis.models import check_running
from sacm_mm.apis.runner import build_runner, prepare_run
from sacm_mm.apis.starting import starting
from sacm_mm.core.checkpoints import find_checkpoint
from sacm_mm.core.configs import as_list, kind_of, put_hook
from sacm_mm.core.errors import UserError
from sacm_mm.core.files import check_new_folder, check_writable, check_writable_file
from sacm_mm.deploy.runtimes import is_exported
from sacm_mm.models.task import task_of

# the hosts' draw 8 bits of colour alone, and that of classifiers swaps red and blue
_DRAWERS = {
    'SegVisualizationHook': 'sacm_mm.SegVisualizationHook',
    'VisualizationHook': 'sacm_mm.ClsVisualizationHook',
}
# the hosts' keep the label, or the logits, of one view, and take the sigmoid of one logit twice
_TTA_MODELS = {
    'SegTTAModel': 'sacm_mm.DenseTTAModel',
    'AverageClsScoreTTA': 'sacm_mm.ClsTTAModel',
}


def test(
    config: str | Path | Config,
    checkpoint: str | Path | None = None,
    *,
    options: Sequence[str] = (),
    work_dir: str | Path | None = None,
    launcher: str = 'none',
    runtime: str | None = None,
    trust: bool = False,
    tta: bool = False,
    out: str | Path | None = None,
    show: bool = False,
    show_dir: str | Path | None = None,
    wait_time: float = 2,
    grid: str | Path | None = None,
    report: str | Path | None = None,
    fast: bool = True,
    dtype: str = 'float32',
) -> dict[str, float]:
    """Test a model on the test data of its config.

    Args:
        config: A work dir, which has its config and its best checkpoint; a config, or its name; or
            whatever else ``find_model`` takes.
        checkpoint: Checkpoint file, a work dir for its best one, or an exported file.
        options: Changes of the config, ``KEY=VALUE``.
        work_dir: Folder for the log; by default ``test`` in a work dir that is tested, else
            ``work_dirs/<name of the config>``, or of its folder where it is a ``config.py``.
        launcher: How the processes of a distributed run were started.
        runtime: What runs an exported file, see ``load_exported``.
        trust: Take a .pt2 file or a checkpoint that can run code.
        tta: Test-time augmentation of the config.
        out: Save predictions: a folder of masks or of depth, or a .pkl for classifiers.
        show: Show predictions in a window.
        show_dir: Save painted predictions in this folder.
        wait_time: Seconds that ``show`` waits.
        grid: Save a sheet of pictures, image | truth | prediction, to this PNG.
        report: Folder to make with figures of each class, the worst and the best pictures, and one
            page of them.
        fast: Compute by this package's kernels on a CPU; the results are the same to rounding.
        dtype: ``'bfloat16'`` computes in that, where the processor does; it rounds more.

    Returns:
        The figures by name.

    Raises:
        UserError: Whatever the user can mend; before anything is written, where it can be found.
    """
    cfg, weights = find_model(config, checkpoint, options)
    if not isinstance(config, Config) and Path(config).is_dir():
        work_dir = work_dir or Path(config, 'test')
    named = Path(cfg.filename or 'run').absolute()
    name = named.parent.name if named.name == 'config.py' else named.stem  # published ones have it
    work_dir = work_dir or cfg.get('work_dir') or Path('work_dirs', name)
    check_running(weights, fast, dtype, runtime)
    with starting(cfg) as begun:
        prepare_run(cfg, work_dir, launcher, begun)
        of_pixels = 'decode_head' in cfg.model  # as it is before it gets wrappers
        _use_weights(cfg, weights, runtime, trust)
        if fast and not is_exported(weights):
            put_hook(cfg, dict(type='sacm_mm.FastTestHook', dtype=dtype))
        if tta:
            _use_tta(cfg)
        if show or show_dir:
            _draw_predictions(cfg, of_pixels, show, show_dir, wait_time)
        if out:
            _save_predictions(cfg, of_pixels, str(out))
        if grid:
            _draw_grid(cfg, of_pixels, Path(grid))
        if report:
            _write_report(cfg, Path(report), f'Test of {name}')
        put_hook(cfg, dict(type='sacm_mm.ClassFiguresHook'))

        def ready(cfg: Config, model: nn.Module, built: dict[str, dict]) -> None:
            dataset = built['test_dataloader']['dataset']
            if report and task_of(model) in ('multilabel', 'regression'):
                raise UserError(
                    f'--report is of one class a picture, not of {task_of(model)}: leave it out, '
                    '--out writes what is predicted'
                )
            _check_truth(
                cfg, dataset, unscored=bool(out or show_dir), compared=bool(grid or report)
            )

        return build_runner(cfg, ('test_dataloader',), ready, trust, begun).test()


def _check_truth(cfg: Config, dataset: Any, unscored: bool, compared: bool) -> None:
    """Score nothing where the pictures have no truth, or refuse to.

    Raises:
        UserError: There is nothing to do without truth.
    """
    if _has_truth(dataset):
        return
    evaluators = as_list(cfg.test_evaluator)
    scoring = [part for part in evaluators if not part.get('format_only')]
    if compared:
        raise UserError(
            'the pictures of test_dataloader have no truth to compare with: leave out --grid and '
            '--report; --show-dir draws what is predicted'
        )
    if scoring and not unscored:
        raise UserError(
            'the pictures of test_dataloader have no truth to score: give --out or --show-dir to '
            'write what is predicted, or sacm predict'
        )
    if scoring:
        print('the pictures have no truth: nothing is scored')
        cfg.test_evaluator = [part for part in evaluators if part not in scoring]


def _has_truth(dataset: Any) -> bool:
    """Tell whether the pictures have truth, as far as is known without loading them all.

    Raises:
        UserError: Some have it and others do not.
    """
    if not len(dataset):
        return True
    if hasattr(dataset, 'get_data_info'):
        known = [dataset.get_data_info(i) for i in range(len(dataset))]
        without = [
            info
            for info in known
            if not info.get('seg_map_path') and info.get('gt_label') is None  # 0 is a class
        ]
        if 0 < len(without) < len(known):
            raise UserError(
                f"'{without[0].get('img_path')}' of test_dataloader has no truth, and others have: "
                'give it to all, or to none'
            )
    sample = dataset[0].get('data_samples')
    sample = sample[0] if isinstance(sample, list) else sample  # test-time augmentation
    return sample is None or any(key.startswith('gt_') for key in sample.keys())  # noqa: SIM118


def _use_weights(cfg: Config, checkpoint: str, runtime: str | None, trust: bool) -> None:
    if not is_exported(checkpoint):
        cfg.load_from = find_checkpoint(checkpoint, best=True)
        return
    cfg.model = ConfigDict(
        type='sacm_mm.exported_model',
        model=cfg.model,
        file=checkpoint,
        runtime=runtime,
        trust=trust,
    )


def _use_tta(cfg: Config) -> None:
    if 'tta_model' not in cfg or 'tta_pipeline' not in cfg:
        raise UserError(f"config '{cfg.filename}' has no tta_model and tta_pipeline")
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
    kind = _TTA_MODELS.get(kind_of(cfg.tta_model), cfg.tta_model['type'])
    cfg.model = ConfigDict({**cfg.tta_model, 'type': kind, 'module': cfg.model})


def _draw_predictions(
    cfg: Config, of_pixels: bool, show: bool, show_dir: str | Path | None, wait_time: float
) -> None:
    if show_dir:
        check_writable(show_dir)
    hook = cfg.default_hooks.get('visualization')
    if hook is None:
        raise UserError("--show and --show-dir need a 'visualization' hook in default_hooks")
    hook.type = _DRAWERS.get(kind_of(hook), hook.type)
    hook.show, hook.wait_time = show, wait_time
    if of_pixels:
        hook.draw = True
        if show_dir:
            cfg.visualizer.save_dir = str(show_dir)
    else:
        hook.enable, hook.out_dir, hook.interval = True, show_dir and str(show_dir), 1


def _save_predictions(cfg: Config, of_pixels: bool, out: str) -> None:
    if of_pixels:
        check_writable(out)
        put_hook(cfg, dict(type='sacm_mm.SavePredictionsHook', out=out))
    else:
        check_writable_file(out)
        dump = dict(type='sacm_mm.DumpResults', out_file_path=out)
        cfg.test_evaluator = [*as_list(cfg.test_evaluator), dump]


def _draw_grid(cfg: Config, of_pixels: bool, path: Path) -> None:
    if not of_pixels:
        raise UserError('--grid draws segmentation; use --show-dir for classification')
    check_writable_file(path, ['.png'], '--grid writes a PNG')
    put_hook(cfg, dict(type='sacm_mm.PictureGridHook', out=str(path)))


def _write_report(cfg: Config, out: Path, title: str) -> None:
    check_new_folder(out)
    check_writable(out.parent)
    if cfg.launcher != 'none':
        raise UserError('--report is of one process: test without --launcher')
    put_hook(cfg, dict(type='sacm_mm.ReportHook', out=str(out), title=title))
