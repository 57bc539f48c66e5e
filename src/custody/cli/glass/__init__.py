"""What the commands about break-glass share."""
