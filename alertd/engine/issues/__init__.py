"""What is decided about issues and incidents: pure functions over their states; `now_ms` is an argument."""
