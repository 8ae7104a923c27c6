"""One process that looks at many feeds again and again: see zeit.cds.interfaces.watch."""
