"""What is done with a study: run it, report it, list it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sacm_mm.core.configs import config_folder, read_config
from sacm_mm.core.errors import UserError
from sacm_mm.core.files import check_writable
from sacm_mm.core.machine import choose_device
from sacm_mm.studies import RUNS
from sacm_mm.studies.results import StudyResults
from sacm_mm.studies.runs import Run, all_runs
from sacm_mm.studies.schema import are_seeds
from sacm_mm.studies.study import Study, choose_networks


def plan_runs(
    study: Study,
    networks: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    root: Path = RUNS,
) -> list[Run]:
    """List the runs of the named networks, or of all, with these seeds, or the study's.

    Raises:
        UserError: There is no such network or seed.
    """
    seeds = seeds or study.seeds
    if not are_seeds(seeds):
        raise UserError(f'--seeds are from 0 to {2**32 - 1}, not {", ".join(map(str, seeds))}')
    return all_runs(study, choose_networks(study, networks), seeds, root)


def run_study(
    study: Study,
    networks: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    jobs: int | None = None,
    devices: Sequence[str] = (),
    root: Path = RUNS,
    costs: bool = True,
) -> list[Run]:
    """Train and test what is not done, then measure what the networks cost.

    Args:
        study: The study.
        networks: Names; all by default.
        seeds: Seeds; the study's by default.
        jobs: Runs at a time; one by default, or one for each device.
        devices: Devices that the jobs are spread over, such as ``('cuda:0', 'cuda:1')``.
        root: Folder of the runs of all studies.
        costs: Measure costs; a later call can do it, on the machine whose latencies count.

    Raises:
        UserError: There is no such network or seed, or runs failed: the others are done.
    """
    from sacm_mm.studies.network_costs import keep_costs
    from sacm_mm.studies.progress import RunsProgress
    from sacm_mm.studies.training import train_all

    check_writable(root)
    for device in devices:
        choose_device(device)
    runs = plan_runs(study, networks, seeds, root)
    with RunsProgress(runs) as progress:
        failed = train_all(runs, jobs or max(1, len(devices)), devices, progress)
    if costs:
        keep_costs(study, choose_networks(study, networks), root)
    if failed:
        names = ', '.join(run.name for run in failed)
        raise UserError(f'{len(failed)} of {len(runs)} runs failed ({names}); the others are done')
    return runs


def report_folder(name: str, budget: str | None, root: Path = RUNS) -> Path:
    """Return where a report goes: beside the runs for a look at the machinery, else to results."""
    return root / name / budget / 'report' if budget == 'tiny' else Path('results', name)


def report_study(study: Study, out: Path | None = None, root: Path = RUNS) -> StudyResults:
    """Take the finished runs in, then write the report.

    Args:
        study: The study.
        out: Folder of the report, by default as ``report_folder`` says.
        root: Folder of the runs of all studies.

    Raises:
        UserError: No run counts, or the folder holds results of another recipe.
    """
    from sacm_mm.studies.records import record_runs
    from sacm_mm.studies.report import write_report

    out = out or report_folder(study.name, study.budget, root)
    if not (root.is_dir() and any(root.iterdir())) and not (out / 'runs').is_dir():
        raise UserError(f"there are no runs in '{root}': train them with sacm study run first")
    check_writable(out)
    for name in record_runs(study, root, out):
        print(f'took in {name}')
    return write_report(out)


def list_studies(budget: str | None = None) -> list[Path]:
    """List the configs of the studies that come with the package, or of those with a budget.

    Raises:
        UserError: None has it.
    """
    paths = sorted((config_folder() / 'studies').glob('*.py'))
    if budget is not None:
        paths = [path for path in paths if budget in read_config(path)['budgets']]
        if not paths:
            raise UserError(f"no study has a budget '{budget}': sacm study list shows all")
    return paths
