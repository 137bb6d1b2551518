"""What is done with the results of a rule: a module for each kind.

# Layout

- `action.py`     `Action`: what all of them have in common, and `Option`
- `kinds.py`      which kinds there are
- `native.py`     republish, retain, forward, disconnect, log: done natively
- `webhook.py`    HTTP requests; `guarded.py` keeps them from addresses that are not public: `addresses.py`
- `mail.py`       e-mails
- `store.py`      rows of a table; `columns.py` makes it
- `connector.py`  records for a connector of the broker
- `function.py`   calls of a Python function
- `delivery.py`   `Delivery`: results carried by a courier, one by one
- `result.py`     a result as a record of a courier, and back
"""
