"""Who starts the processes of a distributed run, and how they number them."""

from __future__ import annotations

import os

from sacm_mm.core.errors import UserError

# What launchers call a process' number, how many there are, and its number on its machine.
LAUNCHERS: dict[str, tuple[str, ...]] = {
    'none': (),
    'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
}
_STARTED_BY = {'pytorch': 'torchrun', 'slurm': 'srun', 'mpi': 'mpirun'}


def number_process(launcher: str) -> None:
    """Say in torch's words which process this is: the host does so later, when it connects them.

    Raises:
        UserError: The launcher did not start it.
    """
    for name, given in zip(LAUNCHERS['pytorch'], LAUNCHERS[launcher]):
        if given in os.environ:
            os.environ[name] = os.environ[given]
        elif name != 'LOCAL_RANK':
            raise UserError(
                f'--launcher {launcher}, but {given} is not set: start the processes with '
                f'{_STARTED_BY[launcher]}, or leave the flag out'
            )
    os.environ.setdefault('LOCAL_RANK', '0')
