"""Plain values and rules that every other room uses: no torch, no Qt."""
