"""How the tables came to be what they are, step by step. No step goes back: the journal and the log have everything."""
