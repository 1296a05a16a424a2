"""Drawing: from the numbers of a plot to an Altair chart, its Vega-Lite and its SVG. Knows nothing of training.

Only the drawing process imports what needs Altair and vl-convert; `worker.plots.process` starts it and needs neither.
"""
