"""What was asked: one record per request."""
