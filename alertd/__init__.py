"""alertd: a durable event-to-notification daemon."""
