"""The state that the page shows, without IO: the time is an argument of each method."""
