"""Workspaces, one file each."""
