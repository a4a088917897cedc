"""A trained run as files that are used without this project: functions, a card, an example.

`bundle.bundle_of(predictor, format)` gives them all as bytes. Only `onnx_model` needs more than the
library does, the extra `'.[onnx]'`.
"""
