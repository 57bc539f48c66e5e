"""What people did: sealed steps, folded, weighed, and made again to see that they were allowed."""
