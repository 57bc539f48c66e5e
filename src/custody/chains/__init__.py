"""From keys to chains: credentials, links, lineages, as SQL over parts."""
