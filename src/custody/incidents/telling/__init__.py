"""Steps as CloudEvents and security event tokens, and alerts that come in."""
