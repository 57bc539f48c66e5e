"""The broker's client: a credential for a program, given back at its end."""
