"""Matplotlib figures from arrays. No function reads or saves a file, or changes Matplotlib's global state.

Most take one run or several by name, so that runs are drawn side by side by the code that draws one.
"""
