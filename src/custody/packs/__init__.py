"""Evidence packs: one ZIP file that a stranger can check offline."""
