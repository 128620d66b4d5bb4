"""The output of the commands: text for people, JSON for programs, and the dialog before a change."""
