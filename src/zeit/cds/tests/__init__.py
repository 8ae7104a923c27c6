import hypothesis


# The same examples each time, so that a failure belongs to the change that caused it; and a slow
# machine is none.
hypothesis.settings.register_profile('zeit.cds', deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile('zeit.cds')
