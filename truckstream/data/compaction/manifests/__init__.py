"""The manifests of compacted files: which objects a file holds, and the marks of work done with a file later."""
