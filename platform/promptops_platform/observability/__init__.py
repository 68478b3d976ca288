"""What operators see of a platform: health, readiness and metrics."""
