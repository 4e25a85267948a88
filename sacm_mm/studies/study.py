"""A study: one config with everything fixed, and the networks that are put into it in turn."""

from __future__ import annotations

import copy
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

from sacm_mm.core.configs import config_folder, find_study, load_config, read_config
from sacm_mm.core.errors import UserError, one_line
from sacm_mm.core.schedules import scale_times
from sacm_mm.studies.recipe import PARTS, set_lr
from sacm_mm.studies.schema import mistakes_in

DEFAULT_BUDGET = 'laptop'


@dataclass(frozen=True)
class Network:
    """One of the networks that a study compares.

    Attributes:
        name: Names its runs; lower case.
        label: What readers see.
        backbone: As ``sacm_mm.find_backbone`` takes it; None keeps the config's.
        model: Merged into the config's model before the backbone is put in, such as another head.
        whole: A model of mmsegmentation in place of the config's, such as ``mmseg:cgnet``; see
            ``whole_model``.
        lr: Peak learning rate under this budget in place of the config's. As many are to be tried
            for each network, on data that is not the test's.
    """

    name: str
    label: str
    backbone: str | Mapping | None = None
    model: Mapping = field(default_factory=dict)
    whole: str | None = None
    lr: float | None = None


@dataclass(frozen=True)
class Study:
    """A study under one budget; ``schema.py`` says how its config is written.

    Attributes:
        name: Name of its config.
        path: Its config.
        title: Its heading.
        about: What is compared, and how to read it.
        metric: Key of the figure in the results of a test.
        metric_name: What readers see.
        unit: Of that figure, or an empty string.
        higher_is_better: Which way is good.
        size: Height and width of the images that costs are counted and timed at.
        seeds: Seeds that are run by default.
        budget: One of the config's.
        cfg: The config with the budget applied.
        networks: By name, in their order.
    """

    name: str
    path: Path
    title: str
    about: str
    metric: str
    metric_name: str
    unit: str
    higher_is_better: bool
    size: tuple[int, int]
    seeds: tuple[int, ...]
    budget: str
    cfg: Config
    networks: Mapping[str, Network]
    _expanded: dict[str, Config] = field(default_factory=dict, init=False, repr=False)

    @property
    def steps(self) -> int:
        """Training iterations of a run."""
        return self.cfg.train_cfg.max_iters

    @property
    def ours(self) -> bool:
        """Whether it is one of the studies that come with the package."""
        return self.path.parent == config_folder() / 'studies'

    @property
    def config_name(self) -> str:
        """Its config as a reader finds it: in the repository, or by its path."""
        return f'configs/studies/{self.path.name}' if self.ours else str(self.path)

    @property
    def call_name(self) -> str:
        """What a command calls it."""
        return self.name if self.ours else shlex.quote(str(self.path))

    @property
    def command(self) -> str:
        """What a reader types to run it."""
        return f'sacm study run {self.call_name} --budget {self.budget}'

    def expand(self, network: Network, seed: int) -> Config:
        """Write the config of one run.

        Raises:
            UserError: The backbone is unknown or does not fit.
        """
        if network.name not in self._expanded:  # a swap builds the backbone: not once a seed
            self._expanded[network.name] = self._with_network(network)
        cfg = copy.deepcopy(self._expanded[network.name])
        cfg.randomness.seed = seed
        if network.lr is not None:
            set_lr(cfg, network.lr)
        return cfg

    def _with_network(self, network: Network) -> Config:
        cfg = copy.deepcopy(self.cfg)
        cfg.setdefault('default_scope', 'mmengine')
        cfg.setdefault('randomness', {})
        try:
            if network.whole is not None:
                from sacm_mm.studies.whole import whole_model

                cfg.model = ConfigDict(whole_model(network.whole, cfg.model))
            if network.model:
                cfg.merge_from_dict(dict(model=copy.deepcopy(dict(network.model))))
            if network.backbone is not None:
                from sacm_mm.swap import swap_backbone

                cfg = swap_backbone(cfg, network.backbone)
        except UserError as error:
            raise UserError(f"network '{network.name}' of {self.name}: {error}") from error
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"network '{network.name}' of {self.name} does not fit its config: "
                f'{one_line(error)}'
            ) from error
        return Config({key: cfg[key] for key in PARTS if key in cfg})


def load_study(name: str, budget: str | None = None) -> Study:
    """Load a study by name (``camvid_seg``) or by the path of its config.

    Args:
        name: See above.
        budget: One of its budgets; by default ``laptop``, or the first where there is none of
            this name.

    Raises:
        UserError: There is none, it is malformed (all mistakes are listed), or it has no such
            budget.
    """
    path = find_study(name)
    cfg = read_config(path)
    if 'study' not in cfg and 'budgets' not in cfg:
        raise UserError(f"'{path}' is no study: it has no study = dict(networks=..., ...)")
    mistakes = mistakes_in(cfg.to_dict())
    if mistakes:
        raise UserError(f"study '{path}': {'; '.join(mistakes)} (docs/studies.md describes all)")
    about, budgets = cfg.study.to_dict(), cfg.budgets.to_dict()
    if budget is None:
        budget = DEFAULT_BUDGET if DEFAULT_BUDGET in budgets else next(iter(budgets))
    if budget not in budgets:
        raise UserError(
            f"study '{path.stem}' has no budget '{budget}': it has {', '.join(budgets)}"
        )
    changes = dict(budgets[budget])
    rates = changes.pop('lr', {})
    cfg, size = _with_budget(path, changes)
    if isinstance(rates, float):  # one for all
        set_lr(cfg, rates)
        rates = {}
    networks = {
        name: Network(
            name,
            spec['label'],
            spec.get('backbone'),
            spec.get('model', {}),
            spec.get('whole'),
            rates.get(name),
        )
        for name, spec in about.pop('networks').items()
        if budget in spec.get('budgets', budgets)
    }
    if not networks:
        raise UserError(
            f"study '{path.stem}': no network has the budget '{budget}': choose another"
        )
    about |= {'size': tuple(size or about['size']), 'seeds': tuple(about.get('seeds', (0,)))}
    return Study(path.stem, path, budget=budget, cfg=cfg, networks=networks, **about)


def _with_budget(path: Path, changes: dict[str, Any]) -> tuple[Config, Sequence[int] | None]:
    """Read the config as a budget changes it, and the size of images that it names."""
    size, steps = changes.pop('size', None), changes.pop('steps', None)
    try:
        cfg = load_config(str(path), changes)
    except UserError as error:
        raise UserError(f"study '{path}': its budget does not fit: {one_line(error)}") from error
    if steps is not None:
        scale_times(cfg, cfg.train_cfg.get('max_iters') or steps, steps)
        cfg.train_cfg.max_iters = cfg.train_cfg.val_interval = steps
    for part in ('study', 'budgets'):
        cfg.pop(part)
    return cfg, size


def choose_networks(study: Study, names: Sequence[str] | None) -> list[Network]:
    """Return the named networks, or all.

    Raises:
        UserError: There is no such network.
    """
    unknown = [name for name in names or () if name not in study.networks]
    if unknown:
        raise UserError(
            f"study {study.name} has no network '{unknown[0]}': it has {', '.join(study.networks)}"
        )
    return [study.networks[name] for name in names or study.networks]
