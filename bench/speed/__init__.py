"""What a message costs the broker, beside other brokers: ``make bench``.

# Layout
``__main__``    the command
``scenarios``   what is measured beside other brokers, and the targets
``growth``      what is measured of HookMQ and mosquitto as something grows
``hooked``      a Python hook beside a client in Python
``running``     one measurement, and many in turn
``table``       what came out, as text and Markdown
"""
