"""The broker as a service: HTTP, people, intake, and everything put together."""
