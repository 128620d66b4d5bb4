"""The `truckstream` command line.

To add a command, write a function in a module of its own here (`demo.py` and `simulate.py` are examples) and add it to
the list in `app.py`. Its parameters become options and its docstring becomes the help. The section "Example" of the
docstring, one or two command lines, ends the help. A command reads its options, makes one call of the library, and
prints the result; work of any other kind belongs in the library.
"""
