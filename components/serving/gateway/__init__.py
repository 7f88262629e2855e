"""The way in: a gateway, its routes, and the endpoint picker behind it."""
