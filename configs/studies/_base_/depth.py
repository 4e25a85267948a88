# The same for depth.
_base_ = ['./seg.py']
visualizer = dict(type='sacm_mm.DepthLocalVisualizer')
test_evaluator = dict(_delete_=True, type='sacm_mm.DepthMetric', protocol='nyu_eigen')
