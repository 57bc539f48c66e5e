"""One file a scene: what the workloads do, and the truth of it. A scene starts what it needs and no more."""
