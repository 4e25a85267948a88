"""Run tools as scripts, each in a process of its own, that share what importing the hosts costs.

    python stock_runs.py < JOBS

JOBS is a JSON list of ``{"tool", "arguments", "cwd", "log"}`` and ``"path"``, folders for
PYTHONPATH; jobs with the same ``"cwd"`` run one after another and stop at the first failure. Prints
a JSON list of exit codes, None for those that were not run.
"""

import contextlib
import importlib
import json
import os
import runpy
import sys
from pathlib import Path


def main() -> None:
    jobs = json.load(sys.stdin)
    for module in ('mmseg.models', 'mmseg.datasets', 'mmpretrain.models', 'mmpretrain.datasets'):
        importlib.import_module(module)
    if any('mmdet' in job['tool'] for job in jobs):
        importlib.import_module('mmdet.models')
        importlib.import_module('mmdet.datasets')
    codes = {}
    failed = set()
    for i, job in enumerate(jobs):
        if job['cwd'] in failed:
            continue
        codes[i] = run(job)
        if codes[i]:
            failed.add(job['cwd'])
    print(json.dumps([codes.get(i) for i in range(len(jobs))]))


def run(job: dict) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = _script(job)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _script(job: dict) -> int:
    with Path(job['log']).open('a') as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.chdir(job['cwd'])
    sys.argv = [job['tool'], *job['arguments']]
    sys.path[:1] = [str(Path(job['tool']).parent), *job.get('path', ())]
    code = 0
    try:
        runpy.run_path(job['tool'], run_name='__main__')
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    return code


if __name__ == '__main__':
    main()
