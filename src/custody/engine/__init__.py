"""DuckDB, behind one typed door."""
