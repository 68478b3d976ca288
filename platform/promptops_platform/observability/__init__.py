"""What operators see of a platform: whether it is alive and ready, and its metrics."""
