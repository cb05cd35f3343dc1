"""What the app knows and asks, without Qt. Importing this package alone loads no torch."""
