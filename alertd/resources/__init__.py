"""What operators define: resources of the configuration and of the API as one, changed in one place, live at once."""
