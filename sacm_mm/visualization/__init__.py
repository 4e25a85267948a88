"""Pictures and plots that people look at."""
