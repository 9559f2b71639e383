"""What things are: values and resources, no behaviour beyond their own shape."""
