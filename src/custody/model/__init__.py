"""The types that pass between rooms. They know nothing but each other and ``errors``."""
