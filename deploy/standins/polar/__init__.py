"""A local stand-in of Polar, the payment provider: the API, the checkout page and the webhooks. No money moves."""
