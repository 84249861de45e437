"""A local stand-in of Resend, the mail provider: the API and an outbox to look at. No mail leaves the machine."""
