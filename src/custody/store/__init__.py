"""The store on disk. It alone owns the commit."""
