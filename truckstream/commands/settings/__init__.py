"""The command that writes the settings to `.env`."""
