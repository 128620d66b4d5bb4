"""Reading a deployed pipeline: status, dangerous settings, and scaling."""
