"""What a message costs the broker, beside other brokers: ``make bench``.

# Layout
``__main__``    the command
``scenarios``   what is measured, and the targets
``table``       what came out, as text and Markdown
"""
