"""The Triton kernels: interpreted on the CPU, and compiled ahead for GPUs that are absent."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytest.importorskip('triton')
if os.environ.get('TRITON_INTERPRET') == '1':
    pytest.skip('the interpreter compiles nothing', allow_module_level=True)

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from sacm_mm.kernels.gpu import launching as fused
from sacm_mm.kernels.gpu.triton_kernels import depthwise, normalization, pointwise, statistics

ROOT = Path(__file__).resolve().parents[1]
ACTIVATIONS = {'x_ptr', 'dy_ptr', 'grad_ptr', 'residual_ptr', 'out_ptr'}
CAPABILITIES = (80, 90)
TYPES = ('fp32', 'bf16', 'fp16')


def interpreted(marker):
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', 'tests/kernels_interpreted.py', '-m', marker,
         '--noconftest', '-p', 'no:cacheprovider'],
        cwd=ROOT,
        env={**os.environ, 'TRITON_INTERPRET': '1', 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


@pytest.mark.slow
def test_kernels_equal_the_reference():
    interpreted('not slow')


@pytest.mark.slow
def test_kernels_equal_the_reference_at_every_size_type_and_cut():
    interpreted('slow')


def compile_ahead(kernel, dtype, capability, warps=4, stages=1, **constants):
    """Compile a kernel and return the bytes of stack, which only spilled registers use."""
    signature = {}
    for parameter in kernel.params:
        name = parameter.name
        if name in constants:
            signature[name] = 'constexpr'
        elif name.endswith('_ptr'):
            low = name in ACTIVATIONS or (name == 'weight_ptr')
            signature[name] = f'*{dtype}' if low else '*fp32'
        else:
            signature[name] = 'fp32' if name in ('eps', 'share') else 'i32'
    # as at a launch, where PyTorch's tensors are aligned
    aligned = [[['tt.divisibility', 16]]] * len(signature)
    attributes = {
        (i,): hint for i, (name, hint) in enumerate(zip(signature, aligned)) if '_ptr' in name
    }
    done = triton.compile(
        ASTSource(kernel, signature, constants, attributes),
        target=GPUTarget('cuda', capability, 32),
        options={'num_warps': warps, 'num_stages': stages},
    )
    assert done.metadata.shared <= 160 * 1024  # of an A100's 164
    return _stack(done.asm['cubin'])


def _stack(cubin):
    from triton.backends import nvidia

    (folder,) = nvidia.__path__
    tool = Path(folder) / 'bin/cuobjdump'
    if not tool.is_file():
        return 0
    with tempfile.NamedTemporaryFile(suffix='.cubin') as file:
        file.write(cubin)
        file.flush()
        usage = subprocess.run(
            [tool, '--dump-resource-usage', file.name], capture_output=True, text=True, check=True
        ).stdout
    return int(re.search(r'STACK:(\d+)', usage).group(1))


def depthwise_stack(dtype, capability, k, cut, channels_last, mode, channels=768):
    cuts = dict(COLS=cut.cols, BLOCK_C=cut.block_c, BLOCK_X=cut.block_x, UNROLL=cut.unroll)
    sizes = dict(C=channels, K=k, CHANNELS_LAST=channels_last, **cuts)
    if mode == 'weight':
        kernel = depthwise.depthwise_weight_grad_kernel
        return compile_ahead(kernel, dtype, capability, cut.warps, **sizes)
    value = getattr(depthwise, mode).value
    flags = dict(MODE=value, HAS_BIAS=mode != 'GRAD', AFFINE=mode == 'EVAL')
    return compile_ahead(depthwise.depthwise_kernel, dtype, capability, cut.warps, **sizes, **flags)


MODES = ('EVAL', 'TRAIN', 'GRAD', 'weight')


def elementwise(dtype, capability, channels_last, cut):
    options = dict(warps=cut.warps, C=768, CHANNELS_LAST=channels_last, HAS_BIAS=True)
    options |= dict(BLOCK_P=cut.block_p, BLOCK_C=cut.block_c)
    both = dict(AFFINE=True)
    return [
        compile_ahead(kernel, dtype, capability, **options, **more)
        for kernel, more in (
            (normalization.normalize_kernel, dict(RESIDUAL=True, **both)),
            (normalization.statistics_kernel, {}),
            (normalization.gradient_sums_kernel, {}),
            (normalization.gradient_kernel, both),
        )
    ]


def test_kernels_compile_for_hopper():
    cut = fused.strips(3, True)[0]
    assert depthwise_stack('bf16', 90, 3, cut, True, 'TRAIN') == 0
    assert elementwise('bf16', 90, True, fused.tiles(768, 1024, True)[0]) == [0] * 4


@pytest.mark.slow
@pytest.mark.parametrize('capability', CAPABILITIES)
@pytest.mark.parametrize('dtype', TYPES)
def test_elementwise_kernels_compile_without_spilling(dtype, capability):
    # images of up to 64 pixels, of up to 1024 and of more are cut in their own ways
    for channels_last, pixels in ((True, 1024), (False, 64), (False, 1024), (False, 4096)):
        for cut in fused.tiles(768, pixels, channels_last):
            assert elementwise(dtype, capability, channels_last, cut) == [0] * 4, cut
    sizes = dict(C=768, BLOCK_P=32, BLOCK_C=32)
    assert compile_ahead(statistics.merge_statistics_kernel, dtype, capability, **sizes) == 0


@pytest.mark.slow
@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('k', [3, 5, 7, 9])
@pytest.mark.parametrize('capability', CAPABILITIES)
@pytest.mark.parametrize('dtype', TYPES)
def test_depthwise_kernels_compile_without_spilling(dtype, capability, k, mode):
    for channels_last in (True, False):
        first, *_ = fused.strips(k, channels_last)
        assert depthwise_stack(dtype, capability, k, first, channels_last, mode) == 0, first


@pytest.mark.slow
@pytest.mark.parametrize('mode', MODES)
@pytest.mark.parametrize('k', [7, 9])
def test_most_cuts_spill_little(k, mode):
    for channels_last in (True, False):
        for cut in fused.strips(k, channels_last):
            stack = depthwise_stack('bf16', 90, k, cut, channels_last, mode)
            assert stack <= 64, (cut, stack)


@pytest.mark.slow
@pytest.mark.parametrize('channels', [256, 512, 768, 1536])  # the published networks'
@pytest.mark.parametrize('capability', CAPABILITIES)
@pytest.mark.parametrize('dtype', ['bf16', 'fp16'])
def test_pointwise_kernel_compiles_without_spilling(dtype, capability, channels):
    for cut in fused.products(divmod(capability, 10)):
        blocks = dict(BLOCK_M=cut.block_m, BLOCK_N=cut.block_n, BLOCK_K=cut.block_k)
        sizes = dict(C=channels, D=channels, HAS_BIAS=True, AFFINE=True, **blocks)
        options = dict(warps=cut.warps, stages=cut.stages, **sizes)
        assert compile_ahead(pointwise.pointwise_kernel, dtype, capability, **options) == 0, cut
