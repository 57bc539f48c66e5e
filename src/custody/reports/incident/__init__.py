"""An incident in the forms that people and other tools take: one page of HTML, CSV, Timesketch JSONL and JSON."""
