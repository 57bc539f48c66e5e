"""From files to acquisitions and framed records. What a record means is for the sources; here it is only bytes."""
