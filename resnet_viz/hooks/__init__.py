"""Watching and changing a running net."""
