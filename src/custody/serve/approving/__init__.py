"""The service of the approvals process: people and their systems decide about requests, over HTTP."""
