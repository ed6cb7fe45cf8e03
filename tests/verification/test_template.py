"""What should hold of templates, and of the differences made with them, in every rerun of images.

A rerun may have been subtracted with two templates: one of its visits of good seeing, and a deep one of nearly all.
"""

from __future__ import annotations


def test_good_and_deep_templates_compare_as_expected(rerun, template_contrast, expect):
    """The good template is sharper than the deep one, and noisier; the difference's PSF is that of the visit."""
    expect(rerun[template_contrast]).as_baselined()


def test_visits_lie_between_the_templates_as_often(rerun, template_order, expect):
    """Visits are sharper than both templates, than one or than none as often; never are the templates reversed."""
    expect(rerun[template_order]).as_baselined()


def test_templates_are_equally_deep_at_the_same_seeing(rerun, template_crossover, expect):
    """One template is better than the other from the same seeing on."""
    expect(rerun[template_crossover]).as_baselined()


def test_psfs_are_as_expected(rerun, template_psf, expect):
    """Visits, templates and differences are as sharp as before, and differences as sharp as their visits."""
    expect(rerun[template_psf]).as_baselined()


def test_variances_are_as_expected(rerun, template_variance, expect):
    """The noise is that of before, and that of a difference is the sum of what was subtracted."""
    expect(rerun[template_variance]).as_baselined()


def test_depths_are_as_expected(rerun, template_depth, expect):
    """Templates are made of as many visits, cover as much, and faint sources are seen as well."""
    expect(rerun[template_depth]).as_baselined()


def test_sources_of_either_template_are_as_expected(rerun, template_dia, expect):
    """With either template there are as many DIA sources, as significant, as often negative."""
    expect(rerun[template_dia]).as_baselined()


def test_every_subtraction_is_complete(rerun, template_sanity, expect):
    """Nothing is missing, there twice or unreadable; templates have inputs, and the deep one those of the good one."""
    expect(rerun[template_sanity]).sound()
