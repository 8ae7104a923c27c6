"""Exchange articles through a Content-Drehscheibe: see interfaces.py."""
