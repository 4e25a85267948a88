"""What networks cost, measured on this machine."""
