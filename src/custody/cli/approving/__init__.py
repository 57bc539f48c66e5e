"""What the commands share that look at requests and decide about them."""
