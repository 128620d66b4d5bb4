"""The trucks of a view."""
