"""Errors of other people's code in one line."""

import pytest

from sacm_mm.core.errors import UserError, mistakes_named, one_line


def test_an_error_without_words_is_named_by_its_class():
    assert one_line(AssertionError()) == 'AssertionError'
    says = r'^it fails: AssertionError \(test_errors.py:\d+\)$'
    with pytest.raises(UserError, match=says), mistakes_named('it fails'):
        raise AssertionError


def test_a_long_error_ends_in_dots():
    assert one_line(ValueError('a\n' * 100), 9) == 'a a a ...'
