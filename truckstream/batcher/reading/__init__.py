"""From the event that Lambda delivers to a line for each record, valid or rejected."""
