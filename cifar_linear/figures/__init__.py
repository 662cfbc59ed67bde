"""Arrays become Matplotlib figures; nothing is read, nothing saved, no global state of Matplotlib is touched.

Every function takes one run or several by name, so that two runs are drawn side by side by the code that draws one.
"""
