"""How far an incident reaches: from its seeds over the derived tables."""
