"""Those who follow incidents are told: what each was not told yet, by what it is sent, and with which keys."""
