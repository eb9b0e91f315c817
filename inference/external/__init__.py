"""Models of other people, from a folder of weights: nnU-Net, MONAI bundle, TorchScript, ONNX.

Nothing in such a folder is executed: no pickle is loaded, no expression of a MONAI bundle is
evaluated. A TorchScript or ONNX file is a graph of network operations.
"""
