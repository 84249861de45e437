"""Webhooks of both providers: events made once, signed for each attempt, delivered with patience, and spoiled on request."""
