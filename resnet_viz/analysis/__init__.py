"""What is computed from a net and a picture. Importing this package alone loads no torch."""
