"""From a YAML file to a frozen `Config`.

``models`` says what is allowed, ``reading`` turns a file into it, ``problems`` words what is wrong with it.
"""
