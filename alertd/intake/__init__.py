"""The edge that takes records in: Kafka and HTTP."""
