"""The kinds of fault: `kind` has the base classes, `table` the list, and each other module some kinds.

To add a kind, write it in the module that fits and put it into that module's `KINDS` tuple. `--fault`, `--list-faults`,
the documentation and the tests read the table.
"""
