"""The application's loops and handlers, and the moment when they have finished a batch."""
