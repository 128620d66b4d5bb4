"""The stored objects after the batcher has made them: prove them complete, ask them, repair and compact them.

README.md in this folder is the page for users.
"""
