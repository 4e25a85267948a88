"""The runs of a study: where each lies, its config, and how far it has come."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from sacm_mm.core.checkpoints import find_checkpoint
from sacm_mm.core.configs import write_config
from sacm_mm.core.errors import UserError
from sacm_mm.core.files import write_json
from sacm_mm.core.run_log import figures_of, newest_log, steps_done
from sacm_mm.studies import RUNS
from sacm_mm.studies.recipe import config_diff, model_of, recipe_of
from sacm_mm.studies.results import FAILED
from sacm_mm.studies.study import Network, Study


@dataclass(frozen=True)
class Run:
    """One network with one seed."""

    study: Study
    network: Network
    seed: int
    root: Path = RUNS

    @property
    def name(self) -> str:
        """Names the run in the results."""
        return f'{self.network.name}_seed{self.seed}'

    @property
    def folder(self) -> Path:
        """Everything of the run is in here."""
        return study_folder(self.study, self.root) / self.network.name / f'seed{self.seed}'

    @property
    def config(self) -> Path:
        """The expanded config."""
        return self.folder / 'config.py'

    @property
    def train_dir(self) -> Path:
        """Work dir of the training."""
        return self.folder / 'train'

    @property
    def test_dir(self) -> Path:
        """Work dir of the test."""
        return self.folder / 'test'

    @property
    def done(self) -> bool:
        """Whether it is trained and tested."""
        return (self.folder / 'done.json').is_file()

    @property
    def command(self) -> str:
        """What a reader types to have this run."""
        return f'{self.study.command} --networks {self.network.name} --seeds {self.seed}'

    def prepare(self, builds: bool = False) -> None:
        """Write the config, or make sure that what is there is of this recipe.

        Args:
            builds: The network is known to build, with another seed.

        Raises:
            UserError: The backbone does not fit, or the folder holds a run of another recipe.
        """
        cfg = self.study.expand(self.network, self.seed)
        if not builds:
            check_builds(cfg)
        if self.config.is_file() and self.train_dir.exists():
            self.check_recipe(cfg)
        else:  # it has not begun: the config may be of a study that was changed since
            write_config(cfg, self.config)
        (self.folder / FAILED).unlink(missing_ok=True)

    def check_recipe(self, cfg: Mapping) -> None:
        """Compare the folder's config with the study's.

        Raises:
            UserError: They differ.
        """
        before = Config.fromfile(self.config)
        differ = config_diff(recipe_of(before), recipe_of(cfg)) + config_diff(
            model_of(before), model_of(cfg)
        )
        if differ:
            raise UserError(
                f"'{self.folder}' is of another recipe ({differ[0]}): remove it to run it anew"
            )

    def steps_done(self) -> int:
        """Training iterations so far, by the log."""
        return steps_done(self.train_dir)

    def resumes(self) -> bool:
        """Whether there is a checkpoint to go on from; without one what is there is removed."""
        try:
            find_checkpoint(self.train_dir)
        except UserError:
            shutil.rmtree(self.train_dir, ignore_errors=True)
            return False
        return True

    def finish(self) -> float:
        """Mark a tested run as done and return its figure.

        Raises:
            UserError: The test did not give the study's figure.
        """
        figures = figures_of(newest_log(self.test_dir))
        if self.study.metric not in figures:
            raise UserError(
                f'the test gave no {self.study.metric}: it gave {", ".join(figures) or "nothing"}'
            )
        write_json(figures, self.folder / 'done.json')
        return figures[self.study.metric]

    def failure(self, reason: str) -> dict[str, Any]:
        """Write down why the run does not count."""
        return {'network': self.network.name, 'seed': self.seed, 'reason': reason}


def study_folder(study: Study, root: Path) -> Path:
    """Return the folder of a study's runs under its budget."""
    return root / study.name / study.budget


def check_builds(cfg: Mapping) -> None:
    """Build the model once, without weights.

    Raises:
        UserError: It does not build, for a reason of the host's, its parts do not fit, or its norms
            average their statistics over too much of a run: it would be tested with those of other
            weights.
    """
    from sacm_mm.apis.check_fits import check_fits
    from sacm_mm.models.batch_norms import lagging_norms
    from sacm_mm.swap.dry_run import build_part

    model = build_part(cfg['model'], cfg['default_scope'])
    check_fits(model, {})
    lagging = lagging_norms(model, cfg['train_cfg']['max_iters'])
    if lagging:
        raise UserError(lagging)


def all_runs(
    study: Study, networks: Sequence[Network], seeds: Sequence[int], root: Path
) -> list[Run]:
    """List runs seed by seed, so that every network has one before any has two."""
    runs = {(seed, network.name): network for seed in seeds for network in networks}  # each once
    return [Run(study, network, seed, root) for (seed, _), network in runs.items()]
