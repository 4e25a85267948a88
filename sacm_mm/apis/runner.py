"""Build mmengine's Runner for a checked config: the parts are built once, and handed over."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import get_rank, get_world_size, is_distributed, sync_random_seed
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DATASETS, MODELS, init_default_scope
from mmengine.runner import (
    BaseLoop,
    EpochBasedTrainLoop,
    IterBasedTrainLoop,
    Runner,
    set_random_seed,
)

from sacm_mm.apis.check_fits import check_fits, check_learned_classes
from sacm_mm.apis.check_keys import (
    check_loggers,
    check_numbers,
    check_read_keys,
    check_schedule,
    tidy_loaders,
)
from sacm_mm.apis.checks import (
    build_part,
    check_heads,
    check_kinds,
    check_losses,
    check_parts,
    check_pipeline_switches,
    check_samples,
    check_sections,
    check_types,
)
from sacm_mm.apis.console import quiet_console, summary
from sacm_mm.apis.find_model import check_weights_of
from sacm_mm.apis.resuming import take_over
from sacm_mm.apis.starting import Start
from sacm_mm.core.allocator import keep_freed_blocks
from sacm_mm.core.checkpoints import load_checkpoint, load_safely, some_fit, state_dict_of
from sacm_mm.core.configs import join_preprocessor
from sacm_mm.core.errors import UserError
from sacm_mm.core.files import atomic_write, check_writable
from sacm_mm.core.launchers import LAUNCHERS, number_process
from sacm_mm.core.machine import stamp_line
from sacm_mm.core.random_numbers import random_state, set_random_state
from sacm_mm.engine.unwrapped import unwrapped
from sacm_mm.models.batch_norms import lagging_norms


class _Loader(dict):
    """A data loader's config with the data set that is built; the runner's copy keeps it."""

    def __deepcopy__(self, memo: dict) -> dict:
        # the runner copies a config before it takes it apart: what is built is not copied
        built = self['dataset']
        return {**copy.deepcopy({k: v for k, v in self.items() if v is not built}, memo),
                'dataset': built}  # fmt: skip


class _Config(Config):
    """A config whose text is laid out once while it stays the same: a run asks for it six times."""

    @property
    def pretty_text(self) -> str:
        """The config as Python."""
        values = self.to_dict()
        if self.__dict__.get('_laid_out', (None,))[0] != values:
            self.__dict__['_laid_out'] = values, super().pretty_text
        return self.__dict__['_laid_out'][1]


class _Runner(Runner):
    """The host's runner, whose config in the work dir is that of the training, and is whole."""

    start_weights: dict[str, torch.Tensor] | None = None  # of another training
    is_trained = False  # the model has weights of a training before its first step

    def __init__(self, *args: Any, start: Start | None = None, **kwargs: Any) -> None:
        self.start = start or Start()
        super().__init__(*args, **kwargs)

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        """Call the hooks, and note how far the run has come."""
        super().call_hook(fn_name, **kwargs)
        self.start.called(fn_name)
        if fn_name == 'before_train' and self._resume:
            self._validate_where_due()

    def _validate_where_due(self) -> None:
        """Validate the step that is gone on from: its checkpoint was written before that."""
        loop: Any = self.train_loop
        if isinstance(loop, EpochBasedTrainLoop):
            done, length = loop.epoch, loop.max_epochs
        elif isinstance(loop, IterBasedTrainLoop):
            done, length = loop.iter, loop.max_iters
        else:
            return  # it has its own way to validate
        loop._decide_current_val_interval()
        due = done >= loop.val_begin and (done % loop.val_interval == 0 or done == length)
        if self.val_loop is not None and due:
            self.val_loop.run()

    def build_message_hub(self, message_hub: dict | None = None) -> MessageHub:
        """Build the host's hub, but no run goes on with that of another of the same second."""
        MessageHub._instance_dict.pop((message_hub or {}).get('name', self._experiment_name), None)
        return super().build_message_hub(message_hub)

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the host's logger: the file gets all, the console what a person reads."""
        self.start.wrote(self._log_dir)
        # the host keeps loggers by config and second: of two runs in one, the second would write
        # into the file of the first
        logger = super().build_logger(*args, name=self._log_dir, **kwargs)
        quiet_console(logger)
        return logger

    def load_checkpoint(self, filename: str, *args: Any, **kwargs: Any) -> Any:
        """Load what fits, as the host, but not from a file of which nothing does."""
        with some_fit(unwrapped(self.model), filename):
            return super().load_checkpoint(filename, *args, **kwargs)

    def load_or_resume(self) -> None:
        """Load what the config names; then the weights to start from, if nothing is resumed."""
        super().load_or_resume()
        self.is_trained = self._load_from is not None
        if self._resume and isinstance(self._train_loop, BaseLoop) and self.iter >= self.max_iters:
            self.logger.warning(
                f'Nothing is left to train: the run has all of its {self.max_iters} steps, give '
                'train_cfg more of them, or epochs'
            )
        if self.start_weights is not None and not self._resume:
            unwrapped(self.model).load_state_dict(self.start_weights, strict=False)
            self.start_weights = None
            self.is_trained = True

    def dump_config(self) -> None:
        """Write the config: a test's goes beside its log, since it may name other parts."""
        trains = isinstance(self._train_dataloader, _Loader)
        folder = self.work_dir if trains else self._log_dir
        name = Path(self.cfg.filename).name if self.cfg.filename else f'{self.timestamp}.py'
        self.start.wrote(Path(folder, name))
        with atomic_write(Path(folder, name)) as partial:
            self.cfg.dump(partial)


def prepare_run(
    cfg: Config, work_dir: str | Path | None, launcher: str, start: Start | None = None
) -> None:
    """Set the work dir, the launcher and the allocator, and note what is in the work dir.

    Raises:
        UserError: The work dir cannot be written, or the config is a fragment.
    """
    # the argument decides, but a typo in the config is said
    for where, given in (('', launcher), (' of the config', cfg.get('launcher') or 'none')):
        if given not in LAUNCHERS:
            raise UserError(f"'launcher'{where} is {given!r}: there is {tuple(LAUNCHERS)}")
    number_process(launcher)
    keep_freed_blocks()
    check_kinds(cfg)
    cfg.launcher = launcher
    # the host's order: argument, config, name of the config
    name = Path(cfg.filename or 'run').stem
    cfg.work_dir = str(work_dir or cfg.get('work_dir') or f'work_dirs/{name}')
    check_writable(cfg.work_dir)
    if start is not None:
        start.writes_to(cfg.work_dir)
    if cfg.get('model') is None:
        raise UserError(f"config '{cfg.filename}' has no model: give a leaf config, not a fragment")


Ready = Callable[[Config, torch.nn.Module, dict[str, Any]], None]


def build_runner(
    cfg: Config,
    loaders: Sequence[str],
    ready: Ready | None = None,
    trust: bool = False,
    start: Start | None = None,
) -> _Runner:
    """Check a config and build its runner.

    Mistakes are found before anything is written, for the runner makes its folder before its parts.
    Weights and random numbers are those that ``Runner.from_cfg`` would have.

    Args:
        cfg: The prepared config.
        loaders: The data loaders that the run uses.
        ready: Is called with the config, the model and the loaders when all is checked, before
            anything is written; may change the config's loop and schedules.
        trust: Take checkpoints that run code.
        start: Is told how far the run comes, and what it writes.

    Raises:
        UserError: Whatever the parts say, or maps and heads that do not fit each other.
    """
    check_sections(cfg, loaders)
    quiet_console(MMLogger.get_current_instance())  # parts that are built before the runner log too
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    check_types(cfg)
    check_read_keys(cfg)
    check_numbers(cfg)
    check_loggers(cfg)
    tidy_loaders(cfg)
    trains = 'train_dataloader' in loaders
    if trains:
        check_schedule(cfg)
    load_safely(trust)
    learned: dict[str, Any] = {}
    if cfg.get('load_from') and (cfg.get('resume') or not trains):
        learned = load_checkpoint(cfg.load_from, trust)
        if trains:
            take_over(cfg, learned)
    _seed(cfg)
    join_preprocessor(cfg)
    model = build_part(MODELS, cfg.model, 'model')
    drawn = random_state()  # building has drawn numbers, and the runner will seed again
    inner = unwrapped(model)
    check_heads(inner)
    if learned:
        weights = state_dict_of(learned, cfg.load_from)
        check_weights_of(inner, weights, cfg.load_from, cfg)
    built = {name: _build_data(cfg[name], name) for name in loaders if cfg.get(name) is not None}
    datasets = {name: loader['dataset'] for name, loader in built.items()}
    check_fits(inner, datasets)
    if learned:
        check_learned_classes(learned, cfg.load_from, datasets)
    check_parts(cfg, inner if trains else None)
    check_samples(datasets)
    if trains:
        check_losses(inner)
        check_pipeline_switches(cfg, datasets['train_dataloader'])
    if ready is not None:
        ready(cfg, inner, built)
    if cfg.launcher != 'none' and not torch.cuda.is_available():
        _distribute_on_cpu(cfg)
    runner = _runner(cfg, model, built, start)
    randomness = cfg.get('randomness', {})
    if randomness.get('seed') is not None and (
        get_rank() == 0 or not randomness.get('diff_rank_seed')
    ):
        set_random_state(drawn)
    for line in (*summary(cfg, inner, datasets), stamp_line()):
        runner.logger.info(line)
    if trains and (lagging := lagging_norms(inner, _steps(cfg, len(datasets['train_dataloader'])))):
        runner.logger.warning(f'Of the model, {lagging}')
    if trains and is_distributed() and _averages_apart(inner):
        runner.logger.warning(
            'The batch norms of this model average the pictures of each process alone: for those '
            "of all processes set sync_bn='torch' (GPUs only), or take batches that are large "
            'enough'
        )
    return runner


def _steps(cfg: Config, pictures: int) -> int | None:
    steps, epochs = cfg.train_cfg.get('max_iters'), cfg.train_cfg.get('max_epochs')
    batch = (cfg.train_dataloader.get('batch_size') or 0) * get_world_size()
    return epochs * pictures // batch if epochs and batch else steps


def _averages_apart(model: torch.nn.Module) -> bool:
    norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    return any(not isinstance(norm, torch.nn.SyncBatchNorm) for norm in norms)


def _seed(cfg: Config) -> None:
    settings = {**cfg.get('randomness', {})}
    if settings.get('seed') is None and cfg.launcher == 'none':
        settings['seed'] = sync_random_seed()  # named in the log, so that giving it runs the same
        cfg.randomness = settings
    if settings.get('seed') is not None:
        settings.pop('diff_rank_seed', None)  # the first process' weights are everybody's
        set_random_seed(**settings)


def _build_data(loader: Any, name: str) -> _Loader:
    dataset = build_part(DATASETS, loader.dataset, f'{name}.dataset')
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    return _Loader({**loader, 'dataset': dataset})


def _runner(
    cfg: Config, model: torch.nn.Module, loaders: dict[str, _Loader], start: Start | None
) -> _Runner:
    """Call the runner as ``Runner.from_cfg`` does, with what is built in its place."""
    cfg = _Config(copy.deepcopy(cfg.to_dict()), cfg.text, cfg.filename)
    taken = inspect.signature(Runner.__init__).parameters
    given = {name: cfg[name] for name in taken if cfg.get(name) is not None}
    if isinstance(given.get('visualizer'), dict):
        # the host keeps visualizers by name: of one name, the second run of a process would write
        # its scalars into the folder of the first
        given['visualizer'] = {k: v for k, v in given['visualizer'].items() if k != 'name'}
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        given[name] = loaders.get(name, cfg.get(name))
    return _Runner(**{**given, 'model': model, 'cfg': cfg, 'start': start})


def _distribute_on_cpu(cfg: Config) -> None:
    """Do what the host does for GPUs only: it sets a CUDA device and wraps the model with one."""
    torch.distributed.init_process_group(backend='gloo')
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
