"""Work in the background: the newest request wins; results are kept within a byte budget."""
