"""Who asks: every way in which a workload or person proves it."""
