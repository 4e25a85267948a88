"""What is done with a config or a work dir: train, test, predict. Plain functions."""
