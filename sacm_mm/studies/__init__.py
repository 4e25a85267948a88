"""One recipe, many backbones: what is compared, its runs, and the report."""
