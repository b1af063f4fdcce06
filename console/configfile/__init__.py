"""The configuration as a file: apply and export."""
