"""What a browser, a program and Prometheus can see of the watch.

It knows the contract of the watch, and nothing of how that works. The log has its table of the
feeds from here as well, without a web server.
"""
