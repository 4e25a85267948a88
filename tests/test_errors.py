"""Errors of other people's code in one line."""

import pytest
from mmengine.model import BaseModule

from sacm_mm.core.errors import UserError, did_you_mean, mistakes_named, one_line


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


def test_a_name_that_is_like_no_other_is_not_guessed():
    known = ['resnet18', 'resnet50']
    assert did_you_mean('resnet17', known, '', prefix='timm:').startswith('did you mean timm:resn')
    assert did_you_mean('zzz', known, 'there are two') == 'there are two'
