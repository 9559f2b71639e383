"""The Kafka intake."""
