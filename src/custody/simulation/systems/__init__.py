"""One file a product: the records that it writes, in the shapes in which it writes them."""
