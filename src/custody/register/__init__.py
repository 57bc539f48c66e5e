"""The register of non-human identities: entries built from chains, inventory and declared documents."""
