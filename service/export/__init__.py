"""A trained model to take away: a zip of weights, code, card, report and metadata, or an ONNX file."""
