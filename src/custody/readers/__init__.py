"""From files to acquisitions and framed records."""
