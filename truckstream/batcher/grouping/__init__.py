"""Which consecutive records share an object, and in which order the groups may be stored."""
