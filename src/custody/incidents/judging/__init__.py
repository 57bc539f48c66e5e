"""What the evidence says: outcomes of actions, answers, checklist."""
