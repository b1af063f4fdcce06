"""What several apps stand on and what knows none of them: snapshots, sealed fields, names, shared store."""
