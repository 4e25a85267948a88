# The same for classification under mmpretrain.
_base_ = ['./seg.py']
default_scope = 'mmpretrain'
visualizer = dict(type='UniversalVisualizer')
default_hooks = dict(visualization=dict(_delete_=True, type='VisualizationHook', enable=False))
test_evaluator = dict(_delete_=True, type='Accuracy', topk=(1,))
