"""The third-party packages of the function's zip: pinned versions, wheels, and the bill of materials."""
