"""Widgets that know values, not networks."""
