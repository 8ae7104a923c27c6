"""The commands; `import_` and `export` of `exchange` can be had from here, too."""


def __getattr__(name):
    if name in ('import_', 'export'):
        from zeit.cds.cli import exchange  # other commands shall not load what they don't need
        return getattr(exchange, name)
    raise AttributeError(name)
