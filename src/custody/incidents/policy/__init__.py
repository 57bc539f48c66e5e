"""Who may act in an incident: Cedar policies over a schema of its own, decided by the broker's engine."""
