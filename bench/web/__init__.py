"""What people who look cost: pages that watch the live feed, and clients that publish meanwhile.

# Layout
``viewers``   the command ``python -m bench.web.viewers``: 1,000 pages with one dashboard
``latency``   the command ``python -m bench.web.latency``: publishing with and without 50 pages
``serve``     the broker under test, a process of its own
``viewing``   pages that watch, in a process of their own
``process``   both as the commands see them
"""
