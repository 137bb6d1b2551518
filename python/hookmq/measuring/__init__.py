"""What a broker does on this machine: the measurements of ``hookmq bench``.

# Layout
``wire``         clients that cost next to nothing: frames encoded before, answers counted by their length
``flow``         messages from publishers to subscribers, as many as a window lets, or one at a time
``measurement``  the measurements, one after the other, and the broker's processor time
"""
