"""alertd about itself: `alertd.*` events, what a crash left behind, and the heartbeat."""
