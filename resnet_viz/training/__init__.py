"""Training: a generator of events, without Qt, and the folders it writes."""
