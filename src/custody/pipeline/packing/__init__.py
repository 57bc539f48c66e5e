"""Evidence packs put together: what is in scope, its evidence, its documents."""
