"""What is decided: pure functions over state; no await, clock, I/O or log."""
