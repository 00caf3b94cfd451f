"""What a comparison found, as plain data."""
