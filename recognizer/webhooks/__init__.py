"""Webhooks: who is told of the site's events, and the deliveries to them."""
