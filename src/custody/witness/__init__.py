"""A witness (C2SP tlog-witness): cosigns checkpoints of logs that it knows, and never two that contradict."""
