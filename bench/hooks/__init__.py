"""The benchmark of the hook runtime beside its peers: ``make bench-hooks``.

# Layout
``__main__``        the command: what is run, in which order, what is printed
``targets``         the table: each figure, what it is to be at least, and how it comes from the samples
``variants``        what is run: each takes one sample of one thing, with a fresh broker
``serve``           the broker under test, a process of its own
``paho_consumer``   peer: a consumer beside Debian's mosquitto
``amqtt_broker``    peer: a broker in Python with a plugin; runs in an environment of its own
``child``           a process that answers requests
``wire``            MQTT frames encoded before, and the connections that send them
``..machine``       processor, versions, date, the CPU time of a process
``report``          the table as text, Markdown and JSON
"""
