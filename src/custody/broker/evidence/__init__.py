"""The journal: what the broker says, durable before it acts."""
