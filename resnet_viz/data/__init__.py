"""Pictures, data sets and what turns them into a network's input."""
