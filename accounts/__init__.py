"""Who asks: teams, client keys, rights."""
