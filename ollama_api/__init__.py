"""The client door: the APIs that clients speak, HTTP in and HTTP out."""
