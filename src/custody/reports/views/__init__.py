"""What the HTML report shows, as values: the template only lays them out."""
