"""Muon for square matrices, AdamW for the rest."""

import copy

import pytest
import torch
from torch import nn

from sacm_mm.core.errors import UserError
from sacm_mm.engine.muon import Muon, orthogonalized


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 1), nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.GELU(),
        nn.Conv2d(16, 16, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5),
    )  # fmt: skip


def steps(net, optimizer, first, last):
    for i in range(first, last):
        torch.manual_seed(i)
        optimizer.zero_grad()
        net(torch.randn(8, 3, 6, 6)).square().mean().backward()
        optimizer.step()


def test_singular_values_come_near_one_and_vectors_stay():
    matrix = torch.randn(24, 24, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(matrix)
    turned = left.T @ orthogonalized(matrix) @ right.T
    assert turned.diagonal()[:-2].sub(1).abs().max() < 0.4  # the smallest ones take more rounds
    assert (turned - torch.diag(turned.diagonal())).abs().max() < 1e-3


def test_what_is_not_square_is_stepped_by_adamw():
    ours, plain = network(), network()
    options = dict(lr=1e-2, weight_decay=0.1)
    steps(ours, Muon(ours.parameters(), **options), 0, 1)
    steps(plain, torch.optim.AdamW(plain.parameters(), **options), 0, 1)
    unlike = [
        name
        for (name, p), q in zip(ours.named_parameters(), plain.parameters())
        if not torch.equal(p, q)
    ]
    assert unlike == ['3.weight']


def test_depthwise_kernels_mix_no_channels():
    ours, plain = (nn.Parameter(torch.ones(9, 1, 3, 3)) for _ in range(2))
    for weight, kind in ((ours, Muon), (plain, torch.optim.AdamW)):
        weight.grad = torch.arange(81.0).view(9, 1, 3, 3)
        kind([weight], lr=0.1).step()
    assert torch.equal(ours, plain)


def test_a_matrix_moves_along_an_orthogonal_one_whatever_the_gradients_size():
    for scale in (1e-6, 1.0, 1e6):
        weight = nn.Parameter(torch.zeros(16, 16, 1, 1))
        weight.grad = scale * torch.randn(16, 16, 1, 1, generator=torch.Generator().manual_seed(1))
        gradient = weight.grad.clone()
        Muon([weight], lr=0.1, matrix_lr=2.0, weight_decay=0.0).step()
        expected = -0.2 * orthogonalized(gradient.flatten(1))
        torch.testing.assert_close(weight.detach().flatten(1), expected)
        assert torch.equal(weight.grad, gradient)


def test_it_goes_on_from_its_state():
    whole, part = network(), network()
    optimizer = Muon(whole.parameters())
    steps(whole, optimizer, 0, 6)
    before = Muon(part.parameters())
    steps(part, before, 0, 3)
    after = Muon(part.parameters())
    after.load_state_dict(copy.deepcopy(before.state_dict()))
    steps(part, after, 3, 6)
    for p, q in zip(whole.parameters(), part.parameters()):
        assert torch.equal(p, q)


def test_a_closure_is_called_once():
    weight = nn.Parameter(torch.ones(4, 4))
    optimizer, calls = Muon([weight]), []

    def closure():
        calls.append(1)
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        return loss

    assert optimizer.step(closure) == 16 and calls == [1]
    assert not torch.equal(weight.detach(), torch.ones(4, 4))


@pytest.mark.parametrize('fused', [False, True])
def test_a_scaled_loss_makes_the_same_steps(fused):
    plain, scaled = network(), network()
    steps(plain, Muon(plain.parameters(), fused=fused), 0, 3)
    optimizer = Muon(scaled.parameters(), fused=fused)
    scaler = torch.amp.GradScaler('cpu', init_scale=1024.0)
    for i in range(3):
        torch.manual_seed(i)
        optimizer.zero_grad()
        scaler.scale(scaled(torch.randn(8, 3, 6, 6)).square().mean()).backward()
        scaler.step(optimizer)
        scaler.update(2.0 ** (i + 1))
    for p, q in zip(plain.parameters(), scaled.parameters()):
        torch.testing.assert_close(p, q)


@pytest.mark.parametrize('wrong', [dict(matrix_lr=-1.0), dict(momentum=1.0), dict(momentum=-0.1)])
def test_numbers_that_cannot_be_are_refused(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        Muon([nn.Parameter(torch.ones(4, 4))], **wrong)
