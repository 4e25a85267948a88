# Depth under mmsegmentation; the leaf names the protocol.
_base_ = ['./seg_runtime.py']
visualizer = dict(type='sacm_mm.DepthLocalVisualizer')
val_evaluator = dict(_delete_=True, type='sacm_mm.DepthMetric')
test_evaluator = val_evaluator
