"""A broker's journal into the sealed log: beside the broker, in a process of its own."""
