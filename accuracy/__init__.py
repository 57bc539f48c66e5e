"""How often custody is right: generated estates with a known truth, and laboratory recordings, counted."""
