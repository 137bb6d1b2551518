"""Ask an HTTP service who may connect: HOME/extensions/custom_authentication.py.

It is asked with username, password, clientid and ipaddress, form-encoded. Status 200 admits; any other, and
no answer in time, refuses.
"""

from __future__ import annotations

import logging

import requests

requests.adapters.DEFAULT_RETRIES = 3
url = "https://auth.example/auth"
request_timeout = 0.1
request_auth_method = "POST"

log = globals().get("logger_p") or logging.getLogger("custom_authentication")


def custom_authenticate(username, password, clientid, ipaddress):
    """Return whether a client may connect."""
    who = {"username": username, "password": password, "clientid": clientid, "ipaddress": ipaddress}
    # In a URL the password would be in the log of every server on the way, so GET alone has it there.
    place = {"params": who} if request_auth_method == "GET" else {"data": who}
    try:
        answer = requests.request(
            request_auth_method, url, timeout=request_timeout, allow_redirects=False, **place
        )
    except requests.RequestException as error:
        # Its text may have the whole URL in it.
        log.error("%s was not asked about %s: %s", url, clientid, type(error).__name__)
        return False
    return answer.status_code == 200


# The name of MQTTRoute, whose file is custom_auth.py.
handle_Device_Auth = custom_authenticate
