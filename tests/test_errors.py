"""Errors of other people's code in one line."""

import pytest
from mmengine.model import BaseModule

from sacm_mm.core.errors import UserError, mistakes_named, one_line


def test_an_error_without_words_is_named_by_its_class():
    assert one_line(AssertionError()) == 'AssertionError'
    says = r'^it fails: AssertionError \(test_errors.py:\d+\)$'
    with pytest.raises(UserError, match=says), mistakes_named('it fails'):
        raise AssertionError


def test_an_assertion_without_words_is_said_by_its_line():
    says = r"^'model' does not start: AssertionError: assert isinstance\(init_cfg, dict\) \("
    with pytest.raises(UserError, match=says), mistakes_named("'model' does not start"):
        BaseModule(init_cfg='weights.pth').init_weights()


def test_a_long_error_ends_in_dots():
    assert one_line(ValueError('a\n' * 100), 9) == 'a a a ...'
